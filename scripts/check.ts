import type { CheckOutcome } from "./check-outcome.ts";
import { checkDocumentation } from "./checks/documentation.ts";
import { checkFileSize } from "./checks/file-size.ts";
import { checkFormatAndLint } from "./checks/format-and-lint.ts";
import { checkGeneratedFiles } from "./checks/generated-files.ts";
import { checkHygiene } from "./checks/hygiene.ts";
import { checkImports } from "./checks/imports.ts";
import { checkProse } from "./checks/prose.ts";
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
  ["prose", checkProse],
  ["hygiene", checkHygiene],
];

/**
 * `npm run check`: runs every check in order, also after one has failed. Arguments choose checks by a part of their name.
 * Prints a line for each check, then the findings. Returns the exit code: 1 if a check failed or none was chosen.
 */
export async function main(filters: readonly string[]): Promise<number> {
  const failed: string[] = [];
  const chosen = checks.filter(
    ([name]) => filters.length === 0 || filters.some((part) => name.includes(part)),
  );
  if (chosen.length === 0) {
    console.error(`no check has ${filters.join(" or ")} in its name`);
    return 1;
  }
  for (const [name, run] of chosen) {
    const startedAt = performance.now();
    const outcome = await run().catch(brokenCheck);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const note = outcome.note === undefined ? "" : `  ${outcome.note}`;
    console.log(`${outcome.ok ? "ok    " : "failed"} ${name.padEnd(16)} ${seconds.padStart(5)} s${note}`);
    if (!outcome.ok) failed.push(`\n--- ${name} ---\n${outcome.output}`);
  }
  for (const text of failed) console.error(text);
  if (failed.length > 0) console.error(`\n${failed.length} of ${chosen.length} checks failed`);
  return failed.length > 0 ? 1 : 0;
}

/** A check that throws counts as failed; the others still run. */
function brokenCheck(error: unknown): CheckOutcome {
  return { ok: false, output: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
