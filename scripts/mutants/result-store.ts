import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Stores results by key beyond the end of a run. A stopped run can go on, and only a new test has to run. */
export interface ResultStore {
  get(key: string): unknown;
  /** Writes the result to the disk before it returns. Only a key's latest result counts. */
  put(key: string, result: unknown): void;
}

/** Opens a file with one line per result, and drops earlier results of the same keys from it. */
export function openResultStore(file: string): ResultStore {
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  const results = new Map(lines.flatMap(readLine));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, [...results].map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  return {
    get: (key) => results.get(key),
    put(key, result) {
      results.set(key, result);
      appendFileSync(file, `${JSON.stringify([key, result])}\n`);
    },
  };
}

/** A line that was cut off while it was being written is ignored. */
function readLine(line: string): [string, unknown][] {
  return line.endsWith("]") ? [JSON.parse(line) as [string, unknown]] : [];
}
