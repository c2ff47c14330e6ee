import { RateLimiterMemory } from "rate-limiter-flexible";
import type { Clock } from "../../ports/clock.ts";
import type { RateCounter } from "../../ports/rate-counter.ts";

interface RateCounterOptions {
  readonly clock: Clock;
  readonly windowMs: number;
}

/**
 * Counts in memory, with the library `rate-limiter-flexible`. The library uses the wall clock, which can be set. So the windows are the
 * server's own and a part of the counted name; the library's time only tells when a count may be forgotten.
 */
export function createRateCounter({ clock, windowMs }: RateCounterOptions): RateCounter {
  const limiter = new RateLimiterMemory({ points: 0, duration: Math.ceil(windowMs / 1_000) });

  return {
    async add(name) {
      const nowMs = clock.now();
      const number = Math.floor(nowMs / windowMs);
      const windowEndsInMs = (number + 1) * windowMs - nowMs;
      const { consumedPoints: count } = await limiter.penalty(`${number} ${name}`);
      return { count, windowEndsInMs };
    },
  };
}
