import { writeRecord as writeRun } from "../../../scripts/write-record.ts";
import type { Findings } from "../../crash/findings.ts";
import { formatRows, formatRun } from "../../crash/verdict.ts";

export interface RunReport {
  /** The name of its file in this folder's parent, without the ending. */
  readonly program: string;
  /** The variables that make the same run again. */
  readonly settings: Readonly<Record<string, number>>;
  readonly figures: Readonly<Record<string, number | string>>;
  readonly findings: Findings;
}

/** Prints what a run came to. Where `RECORDS` names a folder, it is also written there, with all that is needed to do it again. */
export function report({ program, settings, figures, findings }: RunReport): void {
  const results = formatRun(figures, findings);
  console.log(results);
  writeRecord(program, settings, results);
}

/** The same for a run that judges by itself what must not be: its rows are figures like the others. */
export function reportFigures({ program, settings, figures }: Omit<RunReport, "findings">): void {
  const results = formatRows(Object.entries(figures));
  console.log(results);
  writeRecord(program, settings, results);
}

/** Writes a record of a run where `RECORDS` names a folder for it, and does nothing elsewhere. */
export function writeRecord(program: string, settings: RunReport["settings"], results: string): void {
  const folder = process.env.RECORDS;
  if (folder === undefined) return;
  const variables = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const file = `tests/long/${program}.ts`;
  const command = [...variables, "node", "--conditions=troupe-source", "--test", file].join(" ");
  writeRun(folder, program, { program: file, command, results });
}
