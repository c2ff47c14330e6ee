import { everyMoment } from "../doubles/fault-shape.ts";
import { type FaultCell, requestKinds } from "./fault-cell.ts";

const absent = "·";

/**
 * The fault matrix as text: a row for each shape, a column for each request kind and moment. A cell holds the result of
 * the fault (an error code without its `upstream_`, or a finish reason), or "·" if the shape has no such moment.
 */
export function formatFaultTable(
  cells: readonly FaultCell[],
  outcomeOf: (cell: FaultCell) => string,
): string {
  const columns = requestKinds.flatMap((kind) => everyMoment.map((moment) => ({ kind, moment })));
  const shapes = [...new Set(cells.map(({ shape }) => shape))];
  const rows = shapes.map((shape) => [
    shape.name,
    ...columns.map(({ kind, moment }) => {
      const cell = cells.find((one) => one.shape === shape && one.kind === kind && one.moment === moment);
      return cell === undefined ? absent : outcomeOf(cell).replace("upstream_", "");
    }),
  ]);
  // A request kind is named above its first column only.
  const kinds = columns.map(({ kind }, index) => (columns[index - 1]?.kind === kind ? "" : kind));
  const lines = [["", ...kinds], ["shape", ...columns.map(({ moment }) => moment)], ...rows];
  const widths = ["", ...columns].map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return lines
    .map((line) => line.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}
