const bucketsPerMs = 4;
const maxMs = 20_000;

/** Times up to 20 s in quarters of a millisecond, in a fixed amount of memory. */
export interface Histogram {
  readonly count: number;
  add(ms: number): void;
  /** The time that a part (0 to 1) of all values does not exceed; 0 if there are no values. */
  quantileMs(part: number): number;
  clear(): void;
}

export function createHistogram(): Histogram {
  const buckets = new Uint32Array(maxMs * bucketsPerMs + 1);
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(ms) {
      const bucket = Math.min(buckets.length - 1, Math.max(0, Math.floor(ms * bucketsPerMs)));
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      count += 1;
    },
    quantileMs(part) {
      let left = Math.ceil(count * part);
      if (left === 0) return 0;
      const bucket = buckets.findIndex((inBucket) => {
        left -= inBucket;
        return left <= 0;
      });
      return bucket / bucketsPerMs;
    },
    clear() {
      buckets.fill(0);
      count = 0;
    },
  };
}

/** A histogram's median and tail, in the form that is sent between processes. */
export interface Spread {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function spreadOf(histogram: Histogram): Spread {
  return {
    count: histogram.count,
    p50Ms: histogram.quantileMs(0.5),
    p99Ms: histogram.quantileMs(0.99),
  };
}
