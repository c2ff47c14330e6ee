import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { RunOptions } from "./run-ending.ts";

/** The heap's sizes while requests ended in one way. */
export interface PlayedEnding {
  readonly name: string;
  /** Bytes, measured after equal numbers of requests. */
  readonly heaps: readonly number[];
}

const program = fileURLToPath(new URL("./endings-program.ts", import.meta.url));
const options = ["--max-old-space-size=256", "--expose-gc", "--conditions=troupe-source"];

/** Ends requests of 1 MB in these ways, in two processes with a heap of at most 256 MiB each. */
export async function playEndings(names: readonly string[], run: RunOptions): Promise<PlayedEnding[]> {
  const halves = [0, 1].map((half) => names.filter((_, index) => index % 2 === half));
  const played = (await Promise.all(halves.map((half) => playHalf(half, run)))).flat();
  return played.sort((one, other) => names.indexOf(one.name) - names.indexOf(other.name));
}

async function playHalf(names: readonly string[], run: RunOptions): Promise<PlayedEnding[]> {
  if (names.length === 0) return [];
  const args = [...options, program, String(run.requests), String(run.looks), String(run.warmUps), ...names];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const played: PlayedEnding[] = [];
  for await (const line of createInterface({ input: child.stdout })) played.push(JSON.parse(line));
  const [code] = await closed;
  if (code !== 0) throw new Error(`The process of the endings ended with ${code}.`);
  return played;
}
