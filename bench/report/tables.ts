import { table } from "../../scripts/markdown-tables.ts";
import type { SideFigures } from "../measure-side.ts";
import type { StreamsFigures } from "../measures/streams.ts";
import type { WindowFigures } from "../measures/window.ts";
import type { Plan } from "../plan.ts";
import { cpuCell, kibibytes, ratioCell, spreadCell } from "./cells.ts";

/** The side that all others are compared to. */
export const referenceName = "nginx";

/** The results of a run. */
export interface RunFigures {
  readonly plan: Plan;
  readonly direct: SideFigures;
  readonly sides: readonly SideFigures[];
}

const nameOf = ({ side }: SideFigures) => side?.name ?? "direct";

/** Compares the sides with one another: ratios first. */
export function overviewTable({ plan, direct, sides }: RunFigures): string {
  const usual = plan.upstreams[0]?.name ?? "";
  const cost = (figures: SideFigures | undefined) => windowOf(figures?.upstreams.get(usual));
  const reference = cost(sides.find(({ side }) => side?.name === referenceName))?.cpuUsPerToken;
  const rows = sides.map((figures) => {
    const window = cost(figures);
    if (window === undefined) return [nameOf(figures), figures.missing?.split("\n")[0] ?? "", "", "", "", ""];
    return [
      nameOf(figures),
      ratioCell(window.cpuUsPerToken, reference),
      cpuCell(window),
      spreadCell(window.lag),
      addedCell(figures.starts, direct.starts),
      cpuMsPerAnswer(figures.starts),
    ];
  });
  return table(
    [
      "side",
      `CPU per token, x ${referenceName}`,
      "CPU per token, us",
      "lag beyond the rhythm, ms, p50 / p99",
      "added to the first chunk, ms, p50 / p99",
      "CPU per answer of 25 tokens, ms",
    ],
    rows,
  );
}

/** The cost of a side by the number of streams, and how many it holds. */
export function growthTable({ plan, sides }: RunFigures): string {
  const levels = plan.growth?.levels ?? [];
  const rows = sides.map((figures) => {
    const at = (level: number) => figures.growth?.windows.find(({ streams }) => streams === level);
    const { capacity } = figures;
    return [
      nameOf(figures),
      capacity === undefined ? "" : `${capacity.isLimitedByLoad ? "at least " : ""}${capacity.streams}`,
      ...levels.map((level) => cpuCell(at(level))),
      doublingCell(at),
      ...levels.slice(-3).map((level) => spreadCell(at(level)?.lag)),
      kibibytes(streamBytes(figures.growth)),
      kibibytes(figures.idleSocketBytes),
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
  const several = sides.filter(({ upstreams }) => upstreams.size > 1);
  const reference = sides.find(({ side }) => side?.name === referenceName);
  const rows = several.map((figures) => [
    nameOf(figures),
    ...plan.upstreams.map(({ name }) => {
      const window = windowOf(figures.upstreams.get(name));
      const compared = windowOf(reference?.upstreams.get(name))?.cpuUsPerToken;
      return `${ratioCell(window?.cpuUsPerToken, compared)} (${cpuCell(window)} us, ${spreadCell(window?.lag)} ms)`;
    }),
  ]);
  return table(["side", ...plan.upstreams.map(({ name }) => name)], rows);
}

/** 1 means that twice the work costs twice as much. */
function doublingCell(at: (level: number) => WindowFigures | undefined): string {
  return ratioCell(at(1_000)?.cpuUsPerToken, at(500)?.cpuUsPerToken);
}

function windowOf(figures: StreamsFigures | undefined): WindowFigures | undefined {
  return figures?.windows.at(-1);
}

/** The delay beyond the same client asking the double itself. */
function addedCell(starts: WindowFigures | undefined, direct: WindowFigures | undefined): string {
  if (starts === undefined || direct === undefined) return "";
  return spreadCell({
    p50Ms: starts.firstChunk.p50Ms - direct.firstChunk.p50Ms,
    p99Ms: starts.firstChunk.p99Ms - direct.firstChunk.p99Ms,
  });
}

function cpuMsPerAnswer(starts: WindowFigures | undefined): string {
  return starts === undefined ? "" : (starts.cpuMs / starts.firstChunk.count).toFixed(2);
}

/** Memory per stream, less the memory that the side held before. Taken at the highest number of streams up to 1,000. */
function streamBytes(figures: StreamsFigures | undefined): number | undefined {
  const window = figures?.windows.filter(({ streams }) => streams <= 1_000).at(-1);
  return figures === undefined || window === undefined
    ? undefined
    : (window.memoryBytes - figures.idleBytes) / window.streams;
}
