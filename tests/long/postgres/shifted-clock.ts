import path from "node:path";
import { pathToFileURL } from "node:url";

/** The variables with which a process starts whose wall clock is wrong by `ms`. */
export function shiftedClock(ms: number): Readonly<Record<string, string>> {
  const preload = pathToFileURL(path.join(import.meta.dirname, "clock-preload.ts")).href;
  return { NODE_OPTIONS: `--import=${preload}`, CLOCK_SHIFT_MS: String(ms) };
}
