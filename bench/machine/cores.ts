import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** What is measured has a core to itself; everything else of the benchmark shares the other. */
export const measuredCore = 0;
const loadCore = 1;

/** Whether cores can be told apart here: Linux with `taskset` and at least two of them. */
function canPin(): boolean {
  return availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0;
}

/** Puts this process and what it will start onto the core of the load. False where that is not possible. */
export function pinLoad(): boolean {
  if (!canPin()) return false;
  return spawnSync("taskset", ["-acp", String(loadCore), String(process.pid)]).status === 0;
}

/** The command that starts another one on the measured core. */
export const pinned = ["taskset", "-c", String(measuredCore)] as const;

/** Milliseconds that a core has been busy since the machine started, whoever used it. */
export function coreBusyMs(core: number): number {
  const line = readFileSync("/proc/stat", "utf8")
    .split("\n")
    .find((text) => text.startsWith(`cpu${core} `));
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (line ?? "")
    .split(/\s+/)
    .slice(1)
    .map(Number);
  // The kernel counts in hundredths of a second, whatever its own timer does (proc(5), USER_HZ).
  return (user + nice + system + irq + softirq + steal) * 10;
}
