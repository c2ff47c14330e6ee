import type { Clock } from "../ports/clock.ts";

/** A timer that fires this much too late was not kept by a busy moment: the process stood still. */
const asleepMs = 1_000;

/**
 * `Clock.callAfter` for a wait in which somebody is expected to act. If the process stood still meanwhile (a suspended machine, a
 * debugger), nobody could: it then waits once more, for as long as it was late and at most `ms`.
 */
export function callAfterAwake(clock: Clock, ms: number, callback: () => void): () => void {
  const dueAtMs = clock.now() + ms;
  let cancel = clock.callAfter(ms, () => {
    const lateMs = clock.now() - dueAtMs;
    if (lateMs < asleepMs) callback();
    else cancel = clock.callAfter(Math.min(ms, lateMs), callback);
  });
  return () => cancel();
}
