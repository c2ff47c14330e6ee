/** How often something has happened in the present window of time. */
export interface RateCount {
  readonly count: number;
  /** Milliseconds until the next window, in which everything is counted anew. */
  readonly windowEndsInMs: number;
}

/**
 * Counts what happens by name, in windows of time of the same length that follow one another. How many are too many is for those
 * to say who count.
 *
 * Contract: `add` counts one more and tells the count with it, so that of many at the same time each sees another count. What was
 * counted in a window that is over is gone.
 */
export interface RateCounter {
  add(name: string): Promise<RateCount>;
}
