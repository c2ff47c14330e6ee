import { globSync } from "node:fs";
import { root } from "./repository.ts";
import { runTestFiles } from "./run-test-files.ts";

/**
 * `npm run test:long`: the programs in `tests/long`, one after the other, each for at most ten minutes, with all that they
 * print. Arguments choose programs by a part of their path, as in `npm test`. Returns the exit code.
 */
export async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const files = globSync("tests/long/*.ts", { cwd: root });
  return runTestFiles(files, args, { concurrency: 1, timeoutMs: 600_000, reporter: "spec", environment });
}
