import { readFileSync } from "node:fs";
import { answerParent } from "../load/child-program.ts";
import { monotonicMs } from "./monotonic-ms.ts";
import { type Stall, watchStalls } from "./watch-stalls.ts";

/**
 * A process that only sleeps: if it wakes late, the machine stood still. It also notes when the server's main thread had
 * work but no core, as Linux reports it. On other systems it has no such times.
 */
const sleeper = watchStalls();
const intervalMs = 5;
/** A shorter wait is part of any work. */
const leastMs = 2;
let waits: Stall[] = [];
let watching: NodeJS.Timeout | undefined;

function waitedMs(pid: number): number {
  try {
    const [, waitedNs] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ");
    return Number(waitedNs) / 1e6;
  } catch {
    // The process has ended, or the system does not count these waits.
    return 0;
  }
}

const answers = {
  /** Watches this server, and drops all earlier stalls. */
  watch(pid: number) {
    clearInterval(watching);
    sleeper.take();
    waits = [];
    let seenMs = waitedMs(pid);
    watching = setInterval(() => {
      const nowMs = monotonicMs();
      const nextMs = waitedMs(pid);
      if (nextMs - seenMs > leastMs) waits.push({ fromMs: nowMs - (nextMs - seenMs), toMs: nowMs });
      seenMs = nextMs;
    }, intervalMs);
  },
  /** The times when the machine stood still, for all processes or for the server. */
  takeStalls: () => [...sleeper.take(), ...waits],
};
export type ControlAnswers = typeof answers;

answerParent(answers);
