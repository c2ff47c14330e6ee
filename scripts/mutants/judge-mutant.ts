import { dirname } from "node:path/posix";
import { isExecuted } from "./executed-code.ts";
import { type Mutant, nameOf } from "./find-mutants.ts";
import type { ResultStore } from "./result-store.ts";
import { runTestFile, type TestOutcome } from "./run-test-file.ts";
import type { ScratchCopy } from "./scratch-copy.ts";
import type { TestFile } from "./test-file.ts";

/** The result for one mutant. */
export interface Verdict {
  readonly mutant: Mutant;
  /** The test file that noticed it; `undefined` if it survived. */
  readonly caughtBy?: string;
  /** Number of test files run that execute the changed code. If 0, no test could notice. */
  readonly testFiles: number;
}

interface Known {
  readonly state: string;
  readonly outcome: TestOutcome;
}

export interface Court {
  readonly tests: readonly TestFile[];
  readonly copy: ScratchCopy;
  readonly store: ResultStore;
  readonly signal: AbortSignal;
  /** Maximum number of test files run for one mutant (default: all that execute it). */
  readonly maxTestFiles?: number;
}

/** Runs the test files that execute the changed code, the likeliest first, until one does not pass. */
export async function judgeMutant(
  mutant: Mutant,
  { tests, copy, store, signal, maxTestFiles = Infinity }: Court,
): Promise<Verdict> {
  const keyOf = ({ file }: TestFile) => `${nameOf(mutant)} | ${mutant.start} | ${file}`;
  const known = (test: TestFile) => store.get(keyOf(test)) as Known | undefined;
  const noticedBefore = (test: TestFile) => (known(test)?.outcome ?? "passed") !== "passed";
  const ordered = orderTests(mutant, tests, noticedBefore).slice(0, maxTestFiles);
  const restore = await copy.apply(mutant);
  try {
    for (const [index, test] of ordered.entries()) {
      const result = known(test);
      const outcome = result?.state === test.state ? result.outcome : await outcomeOf(test, copy, signal);
      signal.throwIfAborted();
      store.put(keyOf(test), { state: test.state, outcome });
      if (outcome !== "passed") return { mutant, caughtBy: test.file, testFiles: index + 1 };
    }
    return { mutant, testFiles: ordered.length };
  } finally {
    await restore();
  }
}

/**
 * The test files that execute the changed code. First the files that noticed the mutant in an earlier run, then the file
 * that mirrors the source, then its neighbours, then all others. Among equals, the faster file comes first.
 */
export function orderTests(
  { file, start }: Mutant,
  tests: readonly TestFile[],
  noticedBefore: (test: TestFile) => boolean,
): TestFile[] {
  const mirror = file.replace(/^src\//, "tests/").replace(/\.ts$/, ".test.ts");
  const rank = (test: TestFile) => {
    if (noticedBefore(test)) return 0;
    if (test.file === mirror) return 1;
    return dirname(test.file) === dirname(mirror) ? 2 : 3;
  };
  return tests
    .filter(({ executed }) => isExecuted(executed, file, start))
    .sort((a, b) => rank(a) - rank(b) || a.ms - b.ms);
}

/** A failure counts only if it happens twice, so that a flaky test catches no mutant. */
async function outcomeOf(test: TestFile, { path, temporary }: ScratchCopy, signal: AbortSignal) {
  const run = { copy: path, temporary, file: test.file, limitMs: test.limitMs, signal };
  const { outcome } = await runTestFile(run);
  return outcome === "failed" ? (await runTestFile(run)).outcome : outcome;
}
