import type { CheckOutcome } from "./check-outcome.ts";
import { checkDocumentation } from "./checks/documentation.ts";
import { checkFileSize } from "./checks/file-size.ts";
import { checkFormatAndLint } from "./checks/format-and-lint.ts";
import { checkGeneratedFiles } from "./checks/generated-files.ts";
import { checkHygiene } from "./checks/hygiene.ts";
import { checkImports } from "./checks/imports.ts";
import { checkTypes } from "./checks/types.ts";
import { checkUnused } from "./checks/unused.ts";

const checks: readonly (readonly [name: string, run: () => Promise<CheckOutcome>])[] = [
  ["format and lint", checkFormatAndLint],
  ["types", checkTypes],
  ["import direction", checkImports],
  ["file size", checkFileSize],
  ["unused", checkUnused],
  ["generated files", checkGeneratedFiles],
  ["documentation", checkDocumentation],
  ["hygiene", checkHygiene],
];

/**
 * `npm run check`: every check in order, all of them even when one fails. Prints a line for each, then the findings of those
 * that failed. Returns the exit code: 1 when any failed.
 */
export async function main(): Promise<number> {
  const failed: string[] = [];
  for (const [name, run] of checks) {
    const startedAt = performance.now();
    const outcome = await run().catch(brokenCheck);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const note = outcome.note === undefined ? "" : `  ${outcome.note}`;
    console.log(`${outcome.ok ? "ok    " : "failed"} ${name.padEnd(16)} ${seconds.padStart(5)} s${note}`);
    if (!outcome.ok) failed.push(`\n--- ${name} ---\n${outcome.output}`);
  }
  for (const text of failed) console.error(text);
  if (failed.length > 0) console.error(`\n${failed.length} of ${checks.length} checks failed`);
  return failed.length > 0 ? 1 : 0;
}

/** A check that throws has found something too; the others still run. */
function brokenCheck(error: unknown): CheckOutcome {
  return { ok: false, output: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
