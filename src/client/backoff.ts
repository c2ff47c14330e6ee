export interface BackoffOptions {
  /** Max of the first wait, milliseconds. Default 500. */
  readonly firstMs?: number;
  /** Max wait, milliseconds. Default 15000. */
  readonly longestMs?: number;
  /** 0 (inclusive) to 1 (exclusive). Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Returns a function from the number of failed attempts (from 1) to the wait in milliseconds. The wait doubles up to the max and is drawn
 * from the upper half, so that the clients of a restarted server do not return at the same instant.
 */
export function exponentialBackoff(options: BackoffOptions = {}): (attempt: number) => number {
  const { firstMs = 500, longestMs = 15_000, random = Math.random } = options;
  return (attempt) => {
    const ceilingMs = Math.min(longestMs, firstMs * 2 ** Math.max(0, attempt - 1));
    return Math.round(ceilingMs * (0.5 + random() / 2));
  };
}
