import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { root } from "./repository.ts";
import { runTestFiles } from "./run-test-files.ts";

/** Time for one file. The slowest takes 20 s on two quiet cores, so only a file that hangs reaches it, also on a busy machine. */
const fileTimeoutMs = 300_000;

/**
 * `npm test`: runs every `tests/**\/*.test.ts` except those in `tests/long`. Arguments without a leading hyphen choose
 * files by a part of their path; the others go to Node (`--test-name-pattern=...`). `TROUPE_TEST_CONCURRENCY` files run
 * at a time (default: the number of cores, at least 2, because tests mostly wait). Returns the exit code.
 */
export async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const concurrency = readConcurrency(environment.TROUPE_TEST_CONCURRENCY);
  if (concurrency === undefined) {
    console.error("TROUPE_TEST_CONCURRENCY must be a whole number from 1");
    return 1;
  }
  const files = globSync("tests/**/*.test.ts", { cwd: root, exclude: ["tests/long/**"] });
  const reporter = process.stdout.isTTY ? "spec" : import.meta.resolve("./test-reporter.ts");
  return runTestFiles(files, args, { concurrency, timeoutMs: fileTimeoutMs, reporter, environment });
}

function readConcurrency(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return Math.max(2, availableParallelism());
  return /^[1-9]\d{0,3}$/.test(text) ? Number(text) : undefined;
}
