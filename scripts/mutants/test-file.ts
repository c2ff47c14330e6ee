import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type ExecutedCode, readExecutedCode } from "./executed-code.ts";
import type { ResultStore } from "./result-store.ts";
import { runTestFile, type TestOutcome } from "./run-test-file.ts";
import type { ScratchCopy } from "./scratch-copy.ts";

/** A test file and its run without a mutant. */
export interface TestFile {
  readonly file: string;
  /** Names the state of this file and of all files that it can depend on. */
  readonly state: string;
  readonly outcome: TestOutcome;
  readonly ms: number;
  /** Time limit of a run with a mutant. */
  readonly limitMs: number;
  readonly executed: ExecutedCode;
}

/** A file that needs longer than this without a mutant is left out. */
const firstLimitMs = 300_000;

/** Runs a test file with coverage, unless the store has the result for its present state. */
export async function measureTestFile(
  file: string,
  fingerprint: string,
  copy: ScratchCopy,
  store: ResultStore,
  signal: AbortSignal,
): Promise<TestFile> {
  const state = digest(fingerprint, await readFile(join(copy.path, file)));
  const known = store.get(file) as TestFile | undefined;
  if (known?.state === state) return known;
  const coverage = await mkdtemp(join(copy.path, "coverage-"));
  const { path, temporary } = copy;
  const { outcome, ms } = await runTestFile({
    copy: path,
    temporary,
    file,
    limitMs: firstLimitMs,
    coverage,
    signal,
  });
  signal.throwIfAborted();
  const executed = await readExecutedCode(coverage, path);
  await rm(coverage, { recursive: true });
  const measured: TestFile = { file, state, outcome, ms, limitMs: limitOf(ms), executed };
  if (outcome === "passed") store.put(file, measured);
  return measured;
}

/** Leaves room for a machine that is busier than when the file was measured. */
function limitOf(ms: number): number {
  return 15_000 + 3 * ms;
}

/**
 * Names the state of every file that a test can depend on, except test files. `paths` are from the root of the copy,
 * sorted.
 */
export async function fingerprintOf(copy: string, paths: readonly string[]): Promise<string> {
  const shared = paths.filter(
    (path) => /^(src|tests|bin|backend)\/|^package-lock\.json$/.test(path) && !path.endsWith(".test.ts"),
  );
  return digest(
    ...(await Promise.all(shared.map(async (path) => [path, await readFile(join(copy, path))]))).flat(),
  );
}

function digest(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length} `).update(part);
  return hash.digest("hex").slice(0, 32);
}
