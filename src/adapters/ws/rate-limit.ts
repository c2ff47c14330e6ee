import type { Clock } from "../../ports/clock.ts";

export interface Rate {
  /** What comes in the long run. */
  readonly perSecond: number;
  /** What may come at once after a pause. */
  readonly burst: number;
}

/** Counts what comes. */
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

  /** Whether one more is within the rate. */
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
