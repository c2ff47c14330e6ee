import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { type CheckOutcome, outcomeOf } from "../check-outcome.ts";
import { findCycles, findForbiddenImports } from "../import-direction.ts";
import { listFiles, readFiles, root } from "../repository.ts";

/** The condition under which the package's own exports lead to its sources. */
const sourceCondition = "troupe-source";

/** Checks that imports run one way between the layers of `src`, and that no files import one another in a ring. */
export async function checkImports(): Promise<CheckOutcome> {
  const folders = ["src", "scripts", "tests", "bench"];
  const files = await readFiles(await listFiles(), folders, [".ts", ".tsx", ".js"]);
  const selfReferences = await readSelfReferences();
  return outcomeOf([
    ...findForbiddenImports(files, selfReferences),
    ...findCycles(files, selfReferences).map((cycle) => `cycle: ${cycle.join(" -> ")}`),
  ]);
}

/** The source file behind each name under which the package can import itself. */
async function readSelfReferences(): Promise<Map<string, string>> {
  const manifest: { name: string; exports: Record<string, Record<string, string>> } = JSON.parse(
    await readFile(join(root, "package.json"), "utf8"),
  );
  return new Map(
    Object.entries(manifest.exports).map(([name, conditions]) => [
      posix.join(manifest.name, name),
      posix.normalize(conditions[sourceCondition] ?? ""),
    ]),
  );
}
