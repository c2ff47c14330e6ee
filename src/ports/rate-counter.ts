/** How often something has happened in the current window of time. */
interface RateCount {
  readonly count: number;
  /** Milliseconds until the next window, in which every count starts at 0 again. */
  readonly windowEndsInMs: number;
}

/**
 * Counts events by name, in windows of equal length, one after another. The caller sets the limit.
 *
 * Contract: `add` counts one more and returns the new count, so that concurrent calls each see a different one. Counts of a past window
 * are dropped.
 */
export interface RateCounter {
  add(name: string): Promise<RateCount>;
}
