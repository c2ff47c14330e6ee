import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The pieces `[start, end)` of each source that ran, sorted, by the source's path from the root. */
export type ExecutedCode = Readonly<Record<string, readonly (readonly [number, number])[]>>;

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

/** A file that Node writes to the folder of `NODE_V8_COVERAGE`. */
interface CoverageFile {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly Range[] }[];
  }[];
}

/**
 * Reads the coverage that all processes and threads of a run wrote to a folder. Only sources below `src` of the copy at
 * `root` count.
 */
export async function readExecutedCode(folder: string, root: string): Promise<ExecutedCode> {
  const base = `${pathToFileURL(root).href}/`;
  const pieces = new Map<string, [number, number][]>();
  for (const name of await readdir(folder)) {
    const { result } = JSON.parse(await readFile(join(folder, name), "utf8")) as CoverageFile;
    for (const { url, functions } of result) {
      if (!url.startsWith(`${base}src/`)) continue;
      const file = url.slice(base.length);
      const ranges = functions.flatMap((each) => each.ranges);
      pieces.set(file, [...(pieces.get(file) ?? []), ...executedPieces(ranges)]);
    }
  }
  return Object.fromEntries([...pieces].map(([file, found]) => [file, union(found)]));
}

/** Whether the code at this place of a source ran. */
export function isExecuted(code: ExecutedCode, file: string, place: number): boolean {
  return code[file]?.some(([start, end]) => start <= place && place < end) ?? false;
}

/** Ranges nest. The innermost range around a place gives the number of times it ran. */
export function executedPieces(ranges: readonly Range[]): [number, number][] {
  const outerFirst = ranges.toSorted((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  const pieces: [number, number][] = [];
  const open: Range[] = [];
  let at = 0;

  const moveTo = (place: number) => {
    if ((open.at(-1)?.count ?? 0) > 0 && place > at) pieces.push([at, place]);
    at = Math.max(at, place);
  };
  const closeUntil = (place: number) => {
    for (let last = open.at(-1); last !== undefined && last.endOffset <= place; last = open.at(-1)) {
      moveTo(last.endOffset);
      open.pop();
    }
  };
  for (const range of outerFirst) {
    closeUntil(range.startOffset);
    moveTo(range.startOffset);
    open.push(range);
  }
  closeUntil(Number.POSITIVE_INFINITY);
  return pieces;
}

function union(pieces: readonly [number, number][]): [number, number][] {
  const joined: [number, number][] = [];
  for (const [start, end] of pieces.toSorted(([a], [b]) => a - b)) {
    const last = joined.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else joined.push([start, end]);
  }
  return joined;
}
