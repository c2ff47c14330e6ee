import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type CheckOutcome, outcomeOf } from "../check-outcome.ts";
import { generators } from "../generated.ts";
import { findUnclean } from "../hygiene.ts";
import { listFiles, root } from "../repository.ts";

/**
 * Finds text that no committed file may contain; see `hygiene.ts`. Wholly generated pages are skipped, because their
 * sources are checked.
 */
export async function checkHygiene(): Promise<CheckOutcome> {
  const generated = new Set(
    generators.map(({ outputFile }) => outputFile).filter((path) => path.endsWith(".html")),
  );
  const findings: string[] = [];
  for (const path of await listFiles()) {
    if (generated.has(path)) continue;
    const bytes = await readFile(join(root, path));
    const isText = !bytes.includes(0);
    if (isText) findings.push(...findUnclean(path, bytes.toString("utf8")));
  }
  return outcomeOf(findings);
}
