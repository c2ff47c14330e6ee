import type { Clock } from "../ports/clock.ts";

/** A timer this late does not mean a busy process: the process stood still. */
const asleepMs = 1_000;

/**
 * `Clock.callAfter` for waits in which a client is expected to act. If the process stood still meanwhile (a suspended machine, a
 * debugger), no client could act. It then waits again, for as long as it was late but at most `ms`.
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
