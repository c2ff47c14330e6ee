import type { Clock } from "../../src/ports/clock.ts";

interface Sleeper {
  readonly wakeAtMs: number;
  readonly wake: () => void;
}

export interface TestClock extends Clock {
  /**
   * Moves the time forward and wakes sleepers in the order of their times. Everything that one sets off runs before the
   * next wakes.
   */
  advance(ms: number): Promise<void>;
  /**
   * Moves the time forward as for a process that stood still: all sleepers that are due wake at its end, before anything
   * else can happen.
   */
  freeze(ms: number): Promise<void>;
  /** Number of sleepers. */
  readonly sleeping: number;
}

/**
 * Time that moves only when told. Sleeps of at most `instantMs` (default 0: none) end at the next turn of the event loop
 * and move the time to their end. So the rhythm passes by itself, while watchdogs and graces wait for `advance`.
 */
export function createTestClock({ instantMs = 0 }: { instantMs?: number } = {}): TestClock {
  const sleepers = new Set<Sleeper>();
  let nowMs = 1_000;
  let ids = 0;

  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

  return {
    now: () => nowMs,
    wallTimeMs: () => 1_700_000_000_000 + Math.floor(nowMs),
    newId() {
      ids += 1;
      return `id-${ids}`;
    },
    get sleeping() {
      return sleepers.size;
    },
    callAfter(ms, callback) {
      const wakeAtMs = nowMs + ms;
      let isOver = false;
      const sleeper = {
        wakeAtMs,
        wake() {
          if (!end()) return;
          nowMs = Math.max(nowMs, wakeAtMs);
          callback();
        },
      };
      function end(): boolean {
        const wasOver = isOver;
        isOver = true;
        sleepers.delete(sleeper);
        return !wasOver;
      }
      if (ms > instantMs) sleepers.add(sleeper);
      else setImmediate(sleeper.wake);
      return () => void end();
    },
    sleep(ms, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        const settle = () => {
          cancel();
          signal?.removeEventListener("abort", settle);
          resolve();
        };
        const cancel = this.callAfter(ms, settle);
        signal?.addEventListener("abort", settle, { once: true });
      });
    },
    async freeze(ms) {
      nowMs += ms;
      const due = [...sleepers].filter(({ wakeAtMs }) => wakeAtMs <= nowMs);
      for (const sleeper of due.sort((a, b) => a.wakeAtMs - b.wakeAtMs)) sleeper.wake();
      await settled();
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settled();
      for (;;) {
        const next = [...sleepers].sort((a, b) => a.wakeAtMs - b.wakeAtMs)[0];
        if (next === undefined || next.wakeAtMs > untilMs) break;
        nowMs = Math.max(nowMs, next.wakeAtMs);
        next.wake();
        await settled();
      }
      nowMs = Math.max(nowMs, untilMs);
      await settled();
    },
  };
}
