import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { root } from "./repository.ts";

export interface RunRecord {
  /** The program's path from the root of the repository. */
  readonly program: string;
  /** The command that repeats the run. */
  readonly command: string;
  /** Rounded up. If left out, the record does not give the duration. */
  readonly minutes?: number;
  readonly results: string;
}

/** Writes the results of a run into `name`.txt of a folder, with the commands and settings that repeat it. */
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
