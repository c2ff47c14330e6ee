import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { root } from "./repository.ts";

export interface RunRecord {
  /** The program, as a path from the root of the repository. */
  readonly program: string;
  /** Does the same again. */
  readonly command: string;
  /** Rounded up. Left out: the record does not say how long the run took. */
  readonly minutes?: number;
  readonly results: string;
}

/** Writes what a run came to into `name`.txt of a folder, with all that is needed to do it again. */
export function writeRecord(
  folder: string,
  name: string,
  { program, command, minutes, results }: RunRecord,
): void {
  const commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
  const took = minutes === undefined ? "" : `; ${minutes} min`;
  const head = [
    `program  ${program}`,
    `command  ${command}`,
    `date     ${new Date().toISOString().slice(0, 16)}Z`,
    `commit   ${commit}`,
    `machine  Node ${process.version}, ${process.platform} ${process.arch}, ${availableParallelism()} cores${took}`,
  ];
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.txt`), `${head.join("\n")}\n${results.trimEnd()}\n`);
}
