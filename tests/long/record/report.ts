import { writeRecord as writeRun } from "../../../scripts/write-record.ts";
import type { Findings } from "../../crash/findings.ts";
import { formatRows, formatRun } from "../../crash/verdict.ts";

export interface RunReport {
  /** The name of its file in this folder's parent, without the ending. */
  readonly program: string;
  /** The variables that repeat the run. */
  readonly settings: Readonly<Record<string, number | string>>;
  readonly figures: Readonly<Record<string, number | string>>;
  readonly findings: Findings;
}

/**
 * Prints the results of a run. If `RECORDS` names a folder, also writes them there, with the commands and settings that
 * repeat the run.
 */
export function report({ program, settings, figures, findings }: RunReport): void {
  const results = formatRun(figures, findings);
  console.log(results);
  writeRecord(program, settings, results);
}

/** The same for a run that judges its own faults: its rows are all figures. */
export function reportFigures({ program, settings, figures }: Omit<RunReport, "findings">): void {
  const results = formatRows(Object.entries(figures));
  console.log(results);
  writeRecord(program, settings, results);
}

/** Writes the record of a run if `RECORDS` names a folder; otherwise does nothing. */
export function writeRecord(program: string, settings: RunReport["settings"], results: string): void {
  const folder = process.env.RECORDS;
  if (folder === undefined) return;
  const variables = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const file = `tests/long/${program}.ts`;
  const command = [...variables, "node", "--conditions=troupe-source", "--test", file].join(" ");
  writeRun(folder, program, { program: file, command, results });
}
