import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type CheckOutcome, outcomeOf } from "../check-outcome.ts";
import { generators } from "../generated.ts";
import { findInProse } from "../prose.ts";
import { type Prose, readProse } from "../read-prose.ts";
import { lastCommitTitle, listFiles, root } from "../repository.ts";

/** Checks that comments, documents and sentences for users can be read once: see "Plain English" in CONTRIBUTING.md. */
export async function checkProse(): Promise<CheckOutcome> {
  const generated = new Set(generators.map(({ outputFile }) => outputFile));
  const title: Prose = { text: await lastCommitTitle(), line: 1, isTitle: true };
  const findings = findInProse(title).map((fault) => `the last commit: ${fault}`);
  let count = 0;
  for (const path of await listFiles()) {
    if (generated.has(path) && !path.endsWith(".md")) continue;
    for (const prose of readProse(path, await readFile(join(root, path), "utf8"))) {
      count += 1;
      findings.push(...findInProse(prose).map((fault) => `${path}:${prose.line}: ${fault}`));
    }
  }
  return outcomeOf(findings, `${count} pieces`);
}
