import type { Row } from "./statements.ts";

/** Maximum text that one slice deletes or compacts, bytes. Overwriting it takes 2 ms (measured), and answers wait meanwhile. */
const bytesPerSlice = 262_144;

/** The first rows (with their `bytes`) that fit into one slice, at least one of them. */
export function firstSlice(rows: readonly Row[]): readonly Row[] {
  let bytes = 0;
  const end = rows.findIndex((row) => {
    bytes += Number(row.bytes);
    return bytes > bytesPerSlice;
  });
  return end < 0 ? rows : rows.slice(0, Math.max(1, end));
}
