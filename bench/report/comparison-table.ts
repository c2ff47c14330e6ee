import { table } from "../../scripts/markdown-tables.ts";
import type { RoundFigures, RunFigures, SideFigures } from "../figures.ts";
import type { Plan } from "../plan.ts";
import { findBefore } from "../sides/sides.ts";
import { numberCell, ratioCell } from "./cells.ts";
import { medianOf, type RoundValues, ratioOfRounds } from "./over-rounds.ts";
import { cpuMsPerAnswer, findReference, referenceName } from "./tables.ts";

/** A figure that every round has for every side. */
interface Measure {
  readonly name: string;
  readonly digits: number;
  readonly read: (round: RoundFigures) => number | undefined;
}

function measuresOf({ upstreams, memoryStreams }: Plan): Measure[] {
  return [
    ...upstreams.map(
      ({ name }): Measure => ({
        name: `CPU per token, us, ${name}`,
        digits: 1,
        read: (round) => round.upstreams.get(name)?.cpuUsPerToken,
      }),
    ),
    {
      name: "CPU per answer of 25 tokens, ms",
      digits: 2,
      read: ({ answers }) => (answers === undefined ? undefined : cpuMsPerAnswer(answers)),
    },
    {
      name: `memory per stream, KiB, at ${memoryStreams} streams`,
      digits: 1,
      read: ({ streamBytes }) => (streamBytes === undefined ? undefined : streamBytes / 1_024),
    },
    { name: "first chunk, ms, p50", digits: 1, read: ({ answers }) => answers?.firstChunk.p50Ms },
    { name: "first chunk, ms, p99", digits: 1, read: ({ answers }) => answers?.firstChunk.p99Ms },
  ];
}

/** Compares each Troupe with the same Troupe of the other checkout. A ratio below 1 means that this checkout is cheaper. */
export function comparisonTable({ plan, sides }: RunFigures): string {
  const reference = findReference(sides);
  const rows = measuresOf(plan).flatMap(({ name, digits, read }) => {
    const valuesOf = (figures: SideFigures | undefined): RoundValues => figures?.rounds.map(read) ?? [];
    const passedOn = valuesOf(reference);
    return sides.flatMap((figures) => {
      const other = findBefore(sides, figures);
      if (other === undefined) return [];
      const [before, after] = [valuesOf(other), valuesOf(figures)];
      return [
        [
          name,
          figures.side?.name ?? "",
          numberCell(medianOf(before), digits),
          numberCell(medianOf(after), digits),
          ratioCell(ratioOfRounds(after, before)),
          numberCell(medianOf(passedOn), digits),
          ratioCell(ratioOfRounds(before, passedOn)),
          ratioCell(ratioOfRounds(after, passedOn)),
        ],
      ];
    });
  });
  return table(
    [
      "figure",
      "side",
      "before",
      "after",
      "after / before",
      referenceName,
      `before, x ${referenceName}`,
      `after, x ${referenceName}`,
    ],
    rows,
  );
}
