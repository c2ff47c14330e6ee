import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Results under keys, which outlive the run, so that a run that was stopped goes on and a new test is the only one that runs. */
export interface ResultStore {
  get(key: string): unknown;
  /** Only the latest result of a key counts. It is on the disk when this returns. */
  put(key: string, result: unknown): void;
}

/** Opens a file of one line per result; earlier results of the same keys are dropped from it. */
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

/** A line that was cut while it was written is as good as none. */
function readLine(line: string): [string, unknown][] {
  return line.endsWith("]") ? [JSON.parse(line) as [string, unknown]] : [];
}
