import type { Row } from "./statements.ts";

/** Text that one slice deletes or compacts, bytes. It is overwritten, and answers wait for it: measured at 2 ms. */
const bytesPerSlice = 262_144;

/** The first of these rows (with their `bytes`) that one slice may take, and at least one. */
export function firstSlice(rows: readonly Row[]): readonly Row[] {
  let bytes = 0;
  const end = rows.findIndex((row) => {
    bytes += Number(row.bytes);
    return bytes > bytesPerSlice;
  });
  return end < 0 ? rows : rows.slice(0, Math.max(1, end));
}
