import type { Clock } from "../../ports/clock.ts";
import { callAfterReading } from "../system/system-clock.ts";

/**
 * Watches for silence. Time counts only while it is armed, so that a pausing reader does not make the upstream look silent. Only
 * `progress` restarts the time; a keep-alive comment, for example, does not. It uses one timer at a time, not one per read. Before it
 * expires, the loop reads the bytes that have arrived, because a stalled process finds its timers due before its sockets are read.
 */
export function createWatchdog(clock: Clock, minLimitMs: number, onExpire: () => void) {
  let cancel: () => void = () => undefined;
  let limitMs = minLimitMs;
  let leftMs = minLimitMs;
  let armedAtMs: number | undefined;

  function timeLeft(): number {
    return armedAtMs === undefined ? limitMs : leftMs - (clock.now() - armedAtMs);
  }

  function watch(): void {
    const left = timeLeft();
    cancel = left <= 0 ? callAfterReading(decide) : clock.callAfter(Math.min(left, minLimitMs), watch);
  }

  function decide(): void {
    if (timeLeft() <= 0) onExpire();
    else watch();
  }

  return {
    /** Starts watching. */
    start(firstLimitMs: number): void {
      limitMs = firstLimitMs;
      leftMs = firstLimitMs;
      armedAtMs = clock.now();
      watch();
    },
    /** Restarts the time, with this limit from now on. */
    progress(nextLimitMs: number): void {
      limitMs = nextLimitMs;
      leftMs = nextLimitMs;
      if (armedAtMs !== undefined) armedAtMs = clock.now();
    },
    rest(): void {
      if (armedAtMs === undefined) return;
      leftMs -= clock.now() - armedAtMs;
      armedAtMs = undefined;
    },
    arm(): void {
      armedAtMs ??= clock.now();
    },
    stop(): void {
      cancel();
    },
  };
}
