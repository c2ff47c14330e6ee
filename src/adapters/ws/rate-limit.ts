import type { Clock } from "../../ports/clock.ts";

interface Rate {
  /** The long-term rate. */
  readonly perSecond: number;
  /** Max number at once after a pause. */
  readonly burst: number;
}

/** A token bucket: limits the rate of events, with a burst. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #clock: Clock;
  #left: number;
  #countedAtMs: number;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#left = rate.burst;
    this.#countedAtMs = clock.now();
  }

  /** Counts one more event if it is within the rate; returns whether it is. */
  letIn(): boolean {
    const { perSecond, burst } = this.#rate;
    const nowMs = this.#clock.now();
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#countedAtMs) * perSecond) / 1_000);
    this.#countedAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
