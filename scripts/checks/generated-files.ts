import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type CheckOutcome, outcomeOf } from "../check-outcome.ts";
import { generators } from "../generated.ts";
import { root } from "../repository.ts";

/** Checks that every generated file equals its generator's present output. */
export async function checkGeneratedFiles(): Promise<CheckOutcome> {
  const findings: string[] = [];
  const skipped: string[] = [];
  for (const { name, source, outputFile, render } of generators) {
    const hasOutput = existsSync(join(root, outputFile));
    if (!hasOutput && !existsSync(join(root, source))) {
      skipped.push(name);
      continue;
    }
    const onDisk = hasOutput ? await readFile(join(root, outputFile), "utf8") : undefined;
    if (onDisk === (await render())) continue;
    findings.push(
      `${outputFile} ${hasOutput ? "is out of date" : "is missing"}: run npm run generate (${name})`,
    );
  }
  return outcomeOf(
    findings,
    skipped.length === 0 ? undefined : `nothing to generate yet: ${skipped.join(", ")}`,
  );
}
