import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deciding } from "../../../scripts/mutants/deciding.ts";
import { findMutants, nameOf } from "../../../scripts/mutants/find-mutants.ts";
import { summarize } from "../../../scripts/mutants/summary.ts";
import { entryOf, readArguments } from "../../../scripts/mutants/survivor-arguments.ts";
import { root } from "../../../scripts/repository.ts";

/** Verdicts on the mutants of a file; the first `survivors` of them survive. */
function verdictsOf(file: string, mutants: number, survivors: number) {
  const lines = Array.from({ length: mutants }, (_, index) => `const a${index} = true;`);
  return findMutants(file, lines.join("\n")).map((mutant, index) => ({
    mutant,
    testFiles: 3,
    ...(index < survivors ? {} : { caughtBy: "tests/a.test.ts" }),
  }));
}

/** A page that argues for every survivor. */
function pageFor(verdicts: ReturnType<typeof verdictsOf>, kind: string): string {
  const survivors = verdicts.filter(({ caughtBy }) => caughtBy === undefined).map(({ mutant }) => mutant);
  const [first] = survivors;
  const entries = survivors.map((mutant) => `${entryOf(mutant)}\n  ${kind}: nobody\n  sees it.`);
  return `# A page\n\n## \`${first?.file}\`\n\n${entries.join("\n")}\n`;
}

test("an argument is found by the texts of its mutant", () => {
  const verdicts = verdictsOf("src/a/b.ts", 2, 1);
  const [first] = verdicts;
  assert.ok(first !== undefined);
  assert.deepEqual(readArguments(pageFor(verdicts, "Equivalent")), [
    { name: nameOf(first.mutant), isEquivalent: true, reason: "nobody sees it." },
  ]);
  assert.throws(() => readArguments(pageFor(verdicts, "Perhaps")), /not an argument/);
});

test("equivalent mutants do not count, accepted ones do", () => {
  const verdicts = verdictsOf("src/chat/lane.ts", 10, 1);
  const equivalent = summarize(verdicts, readArguments(pageFor(verdicts, "Equivalent")));
  assert.match(equivalent.text, /\| src\/chat \| 10 \| 9 \| 0 \| 1 \| 100 % \|/);
  assert.deepEqual(equivalent.faults, []);
  const accepted = summarize(verdicts, readArguments(pageFor(verdicts, "Accepted")));
  assert.match(accepted.text, /\| src\/chat \| 10 \| 9 \| 1 \| 0 \| 90 % \|/);
  assert.deepEqual(accepted.faults, []);
});

test("a survivor without an argument is a fault of the run, in the form of an entry", () => {
  const [first, ...others] = verdictsOf("src/chat/lane.ts", 10, 1);
  assert.ok(first !== undefined);
  const { text, faults } = summarize([first, ...others], []);
  assert.deepEqual(faults, [`no argument for the survivor ${nameOf(first.mutant)}`]);
  assert.match(text, /^- `` const a0 = true; `` → `` const a0 = false; ``$/m);
});

test("85 % of all mutants must be caught, and 90 % in the deciding sources", () => {
  const faultsWith = (file: string, survivors: number) => {
    const verdicts = verdictsOf(file, 100, survivors);
    return summarize(verdicts, readArguments(pageFor(verdicts, "Accepted"))).faults.length;
  };
  assert.equal(faultsWith("src/chat/lane.ts", 15), 0);
  assert.equal(faultsWith("src/chat/lane.ts", 16), 1);
  assert.equal(faultsWith("src/server/budget/ledger.ts", 10), 0);
  assert.equal(faultsWith("src/server/budget/ledger.ts", 11), 1);
  assert.equal(faultsWith("src/server/budget/ledger.ts", 16), 2);
});

test("every source that is listed as deciding exists", () => {
  assert.deepEqual(
    deciding.filter((path) => !existsSync(join(root, path))),
    [],
  );
});
