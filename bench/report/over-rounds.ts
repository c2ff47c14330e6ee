/** A figure of every round; `undefined` where a round has none. */
export type RoundValues = readonly (number | undefined)[];

/** A figure over all rounds. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Number of rounds that have the figure. */
  readonly rounds: number;
}

/** Summarizes the rounds that have the figure; `undefined` if no round has it. */
export function summarize(values: RoundValues): Summary | undefined {
  const sorted = values
    .flatMap((value) => (value !== undefined && Number.isFinite(value) ? value : []))
    .sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const upper = sorted[Math.floor(sorted.length / 2)] ?? max;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? min;
  return { median: (lower + upper) / 2, min, max, rounds: sorted.length };
}

/** The median over the rounds; `undefined` if no round has the figure. */
export function medianOf(values: RoundValues): number | undefined {
  return summarize(values)?.median;
}

/** The ratio of two sides, round by round: a slow round slows both sides and leaves their ratio as it is. */
export function ratioOfRounds(values: RoundValues, reference: RoundValues): Summary | undefined {
  return summarize(
    values.map((value, round) => {
      const other = reference[round];
      return value === undefined || other === undefined ? undefined : value / other;
    }),
  );
}
