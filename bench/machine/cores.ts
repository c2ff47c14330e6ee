import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** The measured side has this core to itself; the rest of the benchmark uses the other one. */
export const measuredCore = 0;
const loadCore = 1;

/** Whether processes can be pinned to cores: Linux with `taskset` and at least two cores. */
function canPin(): boolean {
  return availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0;
}

/**
 * Pins this process, and every process that it starts later, to the core of the load. Returns false if that is not
 * possible.
 */
export function pinLoad(): boolean {
  if (!canPin()) return false;
  return spawnSync("taskset", ["-acp", String(loadCore), String(process.pid)]).status === 0;
}

/** A command that runs another one on the measured core. */
export const pinned = ["taskset", "-c", String(measuredCore)] as const;

/** Milliseconds that a core has been busy since the machine started, over all processes. */
export function coreBusyMs(core: number): number {
  const line = readFileSync("/proc/stat", "utf8")
    .split("\n")
    .find((text) => text.startsWith(`cpu${core} `));
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (line ?? "")
    .split(/\s+/)
    .slice(1)
    .map(Number);
  // The kernel counts in hundredths of a second, independently of its own timer (proc(5), USER_HZ).
  return (user + nice + system + irq + softirq + steal) * 10;
}
