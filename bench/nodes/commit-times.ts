import type { Spread } from "../histogram.ts";

/** Counts of commits by their upper bound in milliseconds, each with all shorter ones. */
export type CommitCounts = ReadonlyMap<number, number>;

const metric = /^troupe_commit_duration_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm;

/** Reads the commits since the start from a server's metrics. */
export async function readCommits(metricsPort: number): Promise<CommitCounts> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const counts = [...text.matchAll(metric)].map(([, bound, count]): [number, number] => [
    bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound) * 1_000,
    Number(count),
  ]);
  return new Map(counts.sort(([one], [other]) => one - other));
}

/** The commits between two readings. A time is placed evenly within its bucket. */
export function commitsBetween(before: CommitCounts, after: CommitCounts): Spread {
  const counts = [...after].map(([bound, count]): [number, number] => [
    bound,
    count - (before.get(bound) ?? 0),
  ]);
  const count = counts.at(-1)?.[1] ?? 0;
  const quantile = (part: number): number => {
    const wanted = count * part;
    let [lower, below] = [0, 0];
    for (const [bound, upTo] of counts) {
      if (upTo >= wanted && upTo > below)
        // The last bucket has no end.
        return Number.isFinite(bound) ? lower + ((bound - lower) * (wanted - below)) / (upTo - below) : lower;
      if (Number.isFinite(bound)) [lower, below] = [bound, upTo];
    }
    return 0;
  };
  return { count, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
