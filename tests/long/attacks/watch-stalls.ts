import { monotonicMs } from "./monotonic-ms.ts";

/** A time in which a process that only sleeps was not woken: from when it should have been until it was. */
export interface Stall {
  readonly fromMs: number;
  readonly toMs: number;
}

const intervalMs = 5;
/** A shorter delay is usual for a timer. */
const leastMs = 10;

/** Sleeps again and again, and records when this process was woken late. */
export function watchStalls(): { take(): readonly Stall[] } {
  let stalls: Stall[] = [];
  let dueMs = monotonicMs() + intervalMs;
  setInterval(() => {
    const nowMs = monotonicMs();
    if (nowMs - dueMs > leastMs) stalls.push({ fromMs: dueMs, toMs: nowMs });
    dueMs = nowMs + intervalMs;
  }, intervalMs);
  return {
    take() {
      const taken = stalls;
      stalls = [];
      return taken;
    },
  };
}
