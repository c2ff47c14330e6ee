import { table } from "../../scripts/markdown-tables.ts";
import type { RunFigures, SideFigures } from "../figures.ts";
import type { StreamsFigures } from "../measures/streams.ts";
import type { WindowFigures } from "../measures/window.ts";
import { cpuCell, kibibytes, numberCell, ratioCell, spreadCell } from "./cells.ts";
import { medianOf, type RoundValues, ratioOfRounds } from "./over-rounds.ts";

/** The side that all others are compared to. */
export const referenceName = "nginx";

const nameOf = ({ side }: SideFigures) => side?.name ?? "direct";

export function findReference(sides: readonly SideFigures[]): SideFigures | undefined {
  return sides.find(({ side }) => side?.name === referenceName);
}

/** Compares the sides with one another: ratios first. */
export function overviewTable({ plan, direct, sides }: RunFigures): string {
  const usual = plan.upstreams[0]?.name ?? "";
  const reference = findReference(sides);
  const rows = sides.map((figures) => {
    if (figures.rounds.length === 0)
      return [nameOf(figures), figures.missing?.split("\n")[0] ?? "", "", "", "", "", ""];
    const windows = windowsOf(figures, usual);
    const answers = answerCosts(figures);
    return [
      nameOf(figures),
      ratioCell(ratioOfRounds(tokenCosts(figures, usual), tokenCosts(reference, usual))),
      cpuCell(windows),
      spreadCell(windows.map(({ lag }) => lag)),
      spreadCell(addedToFirstChunk(figures, direct)),
      ratioCell(ratioOfRounds(answers, answerCosts(reference))),
      numberCell(medianOf(answers), 2),
    ];
  });
  return table(
    [
      "side",
      `CPU per token, x ${referenceName}`,
      "CPU per token, us",
      "lag beyond the rhythm, ms, p50 / p99",
      "added to the first chunk, ms, p50 / p99",
      `CPU per answer, x ${referenceName}`,
      "CPU per answer of 25 tokens, ms",
    ],
    rows,
  );
}

/** The cost of a side by the number of streams, and how many it holds. */
export function growthTable({ plan, sides }: RunFigures): string {
  const levels = plan.limits?.growth.levels ?? [];
  const rows = sides.map((figures) => {
    const { capacity, growth, idleSocketBytes } = figures.limits ?? {};
    const at = (level: number) => growth?.windows.filter(({ streams }) => streams === level) ?? [];
    const costs = (level: number) => at(level).map(({ cpuUsPerToken }) => cpuUsPerToken);
    return [
      nameOf(figures),
      capacity === undefined ? "" : `${capacity.isLimitedByLoad ? "at least " : ""}${capacity.streams}`,
      ...levels.map((level) => cpuCell(at(level))),
      // 1 means that twice the work costs twice as much.
      ratioCell(ratioOfRounds(costs(1_000), costs(500))),
      ...levels.slice(-3).map((level) => spreadCell(at(level).map(({ lag }) => lag))),
      kibibytes(streamBytes(growth)),
      kibibytes(idleSocketBytes),
    ];
  });
  const count = (level: number) => level.toLocaleString("en-US");
  return table(
    [
      "side",
      "streams held",
      ...levels.map((level) => `us a token at ${count(level)}`),
      "a token at 1,000, x one at 500",
      ...levels.slice(-3).map((level) => `lag at ${count(level)}, ms`),
      "KiB a stream",
      "KiB an idle socket",
    ],
    rows,
  );
}

/** CPU per token for each upstream, with the ratio to the reference under the same upstream, and the lag. */
export function upstreamsTable({ plan, sides }: RunFigures): string {
  const reference = findReference(sides);
  const several = sides.filter(({ rounds }) => (rounds[0]?.upstreams.size ?? 0) > 1);
  const rows = several.map((figures) => [
    nameOf(figures),
    ...plan.upstreams.map(({ name }) => {
      const windows = windowsOf(figures, name);
      const ratio = ratioOfRounds(tokenCosts(figures, name), tokenCosts(reference, name));
      return `${ratioCell(ratio)}, ${cpuCell(windows)} us, ${spreadCell(windows.map(({ lag }) => lag))} ms`;
    }),
  ]);
  return table(["side", ...plan.upstreams.map(({ name }) => name)], rows);
}

/** CPU of the side for each answer. */
export function cpuMsPerAnswer({ cpuMs, firstChunk }: WindowFigures): number {
  return cpuMs / firstChunk.count;
}

function windowsOf({ rounds }: SideFigures, upstream: string): WindowFigures[] {
  return rounds.flatMap(({ upstreams }) => upstreams.get(upstream) ?? []);
}

function tokenCosts(figures: SideFigures | undefined, upstream: string): RoundValues {
  return figures?.rounds.map(({ upstreams }) => upstreams.get(upstream)?.cpuUsPerToken) ?? [];
}

function answerCosts(figures: SideFigures | undefined): RoundValues {
  return figures?.rounds.map(({ answers }) => answers && cpuMsPerAnswer(answers)) ?? [];
}

/** The delay beyond the same client asking the double itself in the same round. */
function addedToFirstChunk(figures: SideFigures, direct: SideFigures): { p50Ms: number; p99Ms: number }[] {
  return figures.rounds.flatMap(({ answers }, round) => {
    const own = answers?.firstChunk;
    const bare = direct.rounds[round]?.answers?.firstChunk;
    return own === undefined || bare === undefined
      ? []
      : { p50Ms: own.p50Ms - bare.p50Ms, p99Ms: own.p99Ms - bare.p99Ms };
  });
}

/** Memory per stream, less the memory that the side held before. Taken at the highest number of streams up to 1,000. */
function streamBytes(figures: StreamsFigures | undefined): number | undefined {
  const window = figures?.windows.filter(({ streams }) => streams <= 1_000).at(-1);
  return figures === undefined || window === undefined
    ? undefined
    : (window.memoryBytes - figures.idleBytes) / window.streams;
}
