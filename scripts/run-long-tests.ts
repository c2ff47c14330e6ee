import { globSync } from "node:fs";
import { basename } from "node:path";
import { root } from "./repository.ts";
import { chooseFiles, runTestFiles, splitArguments } from "./run-test-files.ts";

/** Programs that only wait and compare. The others load the machine or measure pauses, so each of them runs alone. */
const patient =
  /^(binary|client-cuts|crash-recovery|path-scan|endings|fail-points|fault-matrix|fuzz-frames|metrics-|deploy-|packed-|page-|peers-|postgres-|proxy-|python-|redis-|storage-faults|worker-crashes)/;

/**
 * `npm run test:long`: runs the programs in `tests/long`, each for at most ten minutes, and shows all their output.
 * Patient programs run two at a time, then the others one after the other. Arguments choose programs by a part of their
 * path, as in `npm test`. Returns the exit code.
 */
export async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { options, filters } = splitArguments(args);
  const chosen = chooseFiles(globSync("tests/long/*.ts", { cwd: root }), filters);
  const groups = [
    { files: chosen.filter((file) => patient.test(basename(file))), concurrency: 2 },
    { files: chosen.filter((file) => !patient.test(basename(file))), concurrency: 1 },
  ].filter(({ files }) => files.length > 0);
  if (groups.length === 0) {
    console.error(`no long test matches ${filters.join(" ")}`);
    return 1;
  }
  let exitCode = 0;
  for (const { files, concurrency } of groups) {
    const run = { concurrency, timeoutMs: 600_000, reporter: "spec", environment };
    exitCode = Math.max(exitCode, await runTestFiles(files, options, run));
  }
  return exitCode;
}
