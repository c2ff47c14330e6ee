export interface BackoffOptions {
  /** The first wait's upper end, milliseconds. Default 500. */
  readonly firstMs?: number;
  /** The longest wait, milliseconds. Default 15000. */
  readonly longestMs?: number;
  /** 0 (inclusive) to 1 (exclusive). Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Takes the number of failed attempts before the next one (from 1) and gives the wait in milliseconds. It doubles up to the longest and
 * is drawn from the upper half, so that the clients of a restarted server don't come back at the same instant.
 */
export function exponentialBackoff(options: BackoffOptions = {}): (attempt: number) => number {
  const { firstMs = 500, longestMs = 15_000, random = Math.random } = options;
  return (attempt) => {
    const ceilingMs = Math.min(longestMs, firstMs * 2 ** Math.max(0, attempt - 1));
    return Math.round(ceilingMs * (0.5 + random() / 2));
  };
}
