/** A figure at a moment, in milliseconds from any fixed point. */
export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

/** How much a figure grew in an hour, by the line that fits its samples best (least squares); 0 for fewer than two. */
export function growthPerHour(samples: readonly Sample[]): number {
  const meanMs = mean(samples.map(({ atMs }) => atMs));
  const meanValue = mean(samples.map(({ value }) => value));
  const spread = samples.reduce((sum, { atMs }) => sum + (atMs - meanMs) ** 2, 0);
  const slope = samples.reduce((sum, { atMs, value }) => sum + (atMs - meanMs) * (value - meanValue), 0);
  return spread === 0 ? 0 : (slope / spread) * 3_600_000;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
