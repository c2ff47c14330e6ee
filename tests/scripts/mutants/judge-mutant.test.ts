import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findMutants, type Mutant } from "../../../scripts/mutants/find-mutants.ts";
import { judgeMutant, orderTests } from "../../../scripts/mutants/judge-mutant.ts";
import { openResultStore } from "../../../scripts/mutants/result-store.ts";
import { openScratchCopy } from "../../../scripts/mutants/scratch-copy.ts";
import type { TestFile } from "../../../scripts/mutants/test-file.ts";

const source = "export const isOpen = (count: number) => count < 3;\n";
const [moved, counted] = findMutants("src/door/open.ts", source);

function testFile(file: string, ms: number, state = "1"): TestFile {
  return {
    file,
    ms,
    state,
    outcome: "passed",
    limitMs: 30_000,
    executed: { "src/door/open.ts": [[0, source.length]] },
  };
}

test("the file that mirrors the source comes first, then its neighbours, then the fastest", () => {
  assert.ok(moved !== undefined);
  const tests = [
    testFile("tests/a.test.ts", 20),
    testFile("tests/b.test.ts", 10),
    testFile("tests/door/close.test.ts", 50),
    testFile("tests/door/open.test.ts", 90),
    { ...testFile("tests/door/other.test.ts", 1), executed: { "src/door/open.ts": [[0, 5]] as const } },
  ];
  const order = (noticed?: string) =>
    orderTests(moved, tests, ({ file }) => file === noticed).map(({ file }) => file);
  const usual = ["tests/door/open.test.ts", "tests/door/close.test.ts", "tests/b.test.ts", "tests/a.test.ts"];
  assert.deepEqual(order(), usual);
  assert.deepEqual(order("tests/a.test.ts")[0], "tests/a.test.ts");
});

/** A repository of one source and two test files: one checks only values far from the boundary, the other the boundary. */
async function makeRepository() {
  const path = await mkdtemp(join(tmpdir(), "judge-mutant-"));
  await mkdir(join(path, "src/door"), { recursive: true });
  await mkdir(join(path, "tests/door"), { recursive: true });
  await writeFile(join(path, "src/door/open.ts"), source);
  const program = (...lines: string[]) =>
    [
      'import assert from "node:assert/strict";',
      'import { appendFileSync } from "node:fs";',
      'import { isOpen } from "../../src/door/open.ts";',
      'appendFileSync("runs.txt", import.meta.filename + "\\n");',
      ...lines,
    ].join("\n");
  await writeFile(join(path, "tests/door/open.test.ts"), program("assert.equal(isOpen(9), false);"));
  await writeFile(join(path, "tests/door/spin.test.ts"), program("while (isOpen(3));"));
  await writeFile(join(path, "tests/door/edge.test.ts"), program("assert.equal(isOpen(3), false);"));
  const copy = openScratchCopy(path);
  return {
    copy,
    store: openResultStore(join(path, "results.jsonl")),
    runs: async () => (await readFile(join(path, "runs.txt"), "utf8")).split("\n").length - 1,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}

const never = new AbortController().signal;
const judge = (
  mutant: Mutant | undefined,
  tests: readonly TestFile[],
  { copy, store }: Awaited<ReturnType<typeof makeRepository>>,
) => {
  assert.ok(mutant !== undefined);
  return judgeMutant(mutant, { tests, copy, store, signal: never });
};

test("a mutant is caught by the first test that fails, and the source is as before", async () => {
  await using repository = await makeRepository();
  const tests = [testFile("tests/door/open.test.ts", 1), testFile("tests/door/edge.test.ts", 2)];
  const verdict = await judge(moved, tests, repository);
  assert.equal(verdict.caughtBy, "tests/door/edge.test.ts");
  assert.equal(verdict.testFiles, 2);
  assert.equal(await readFile(join(repository.copy.path, "src/door/open.ts"), "utf8"), source);
});

test("a mutant that makes a test spin is caught when its time is over", async () => {
  await using repository = await makeRepository();
  const spinning = { ...testFile("tests/door/spin.test.ts", 1), limitMs: 1_000 };
  const verdict = await judge(moved, [spinning], repository);
  assert.equal(verdict.caughtBy, "tests/door/spin.test.ts");
});

test("a survivor's results are kept: only a test that changed runs again", async () => {
  await using repository = await makeRepository();
  const tests = [testFile("tests/door/open.test.ts", 1)];
  assert.equal((await judge(counted, tests, repository)).caughtBy, undefined);
  assert.equal((await judge(counted, tests, repository)).caughtBy, undefined);
  assert.equal(await repository.runs(), 1);
  await judge(counted, [testFile("tests/door/open.test.ts", 1, "2")], repository);
  assert.equal(await repository.runs(), 2);
});

test("without a test that executes the code, nothing runs", async () => {
  await using repository = await makeRepository();
  const elsewhere = { ...testFile("tests/door/open.test.ts", 1), executed: {} };
  const verdict = await judge(moved, [elsewhere], repository);
  assert.deepEqual([verdict.caughtBy, verdict.testFiles], [undefined, 0]);
});
