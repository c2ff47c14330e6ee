import type { Clock } from "../../ports/clock.ts";

export interface Rate {
  /** What comes in the long run. */
  readonly perSecond: number;
  /** What may come at once after a pause. */
  readonly burst: number;
}

/** Counts what comes; the result says whether one more is within the rate. */
export function createRateLimit({ perSecond, burst }: Rate, clock: Clock): () => boolean {
  let left = burst;
  let countedAtMs = clock.now();
  return () => {
    const nowMs = clock.now();
    left = Math.min(burst, left + ((nowMs - countedAtMs) * perSecond) / 1_000);
    countedAtMs = nowMs;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}
