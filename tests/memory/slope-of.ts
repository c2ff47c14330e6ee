/** A straight line through points, by least squares. */
export interface Slope {
  readonly slope: number;
  /** Standard error of the slope: the points' distance from the line, divided by the spread of their places. */
  readonly standardError: number;
}

/** The slope of values at places 1, 2, 3 and so on. There must be at least three. */
export function slopeOf(values: readonly number[]): Slope {
  if (values.length < 3) throw new Error("A slope with an error takes three values.");
  const meanPlace = (values.length + 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const points = values.map((value, index) => ({ place: index + 1 - meanPlace, value: value - mean }));
  const spread = points.reduce((sum, { place }) => sum + place ** 2, 0);
  const slope = points.reduce((sum, { place, value }) => sum + place * value, 0) / spread;
  const rest = points.reduce((sum, { place, value }) => sum + (value - slope * place) ** 2, 0);
  return { slope, standardError: Math.sqrt(rest / (values.length - 2) / spread) };
}
