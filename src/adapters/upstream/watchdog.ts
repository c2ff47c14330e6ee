import type { Clock } from "../../ports/clock.ts";
import { callAfterReading } from "../system/call-after-reading.ts";

/**
 * Watches for silence. Time counts only while armed, so that a reader who rests does not make the upstream look silent; anything
 * but `progress` (a keep-alive comment, say) leaves the time that is left as it is. One timer at a time, none per read. It does not expire before the
 * loop has read what had come: a process that stood still finds its timers due before its sockets are read.
 */
export function createWatchdog(clock: Clock, shortestLimitMs: number, onExpire: () => void) {
  let cancel: () => void = () => undefined;
  let limitMs = shortestLimitMs;
  let leftMs = shortestLimitMs;
  let armedAtMs: number | undefined;

  function timeLeft(): number {
    return armedAtMs === undefined ? limitMs : leftMs - (clock.now() - armedAtMs);
  }

  function watch(): void {
    const left = timeLeft();
    cancel = left <= 0 ? callAfterReading(decide) : clock.callAfter(Math.min(left, shortestLimitMs), watch);
  }

  function decide(): void {
    if (timeLeft() <= 0) onExpire();
    else watch();
  }

  return {
    /** Begins to watch. */
    start(firstLimitMs: number): void {
      limitMs = firstLimitMs;
      leftMs = firstLimitMs;
      armedAtMs = clock.now();
      watch();
    },
    /** Something came: the time starts anew, from now on with this limit. */
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
