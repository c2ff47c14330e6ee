import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseMutants, shareOut } from "../../../scripts/mutants/choose-mutants.ts";
import { findMutants } from "../../../scripts/mutants/find-mutants.ts";

/** Different mutants of one file. */
function fileOf(file: string, mutants: number) {
  const lines = Array.from({ length: mutants }, (_, index) => `const a${index} = true;`);
  return findMutants(file, lines.join("\n"));
}

const all = [
  ...fileOf("src/a/large.ts", 60),
  ...fileOf("src/a/small.ts", 20),
  ...fileOf("src/b/other.ts", 20),
];

test("the same seed chooses the same mutants, another seed others", () => {
  assert.deepEqual(chooseMutants(all, 10, 1), chooseMutants(all, 10, 1));
  assert.notDeepEqual(chooseMutants(all, 10, 1), chooseMutants(all, 10, 2));
});

test("folders and files give their share", () => {
  const chosen = chooseMutants(all, 20, 1);
  const shares = Map.groupBy(chosen, ({ file }) => file);
  assert.equal(chosen.length, 20);
  assert.equal(shares.get("src/b/other.ts")?.length, 4);
  assert.ok((shares.get("src/a/large.ts")?.length ?? 0) <= 12);
  assert.ok((shares.get("src/a/small.ts")?.length ?? 0) <= 4);
});

test("a change of one file leaves the choice in other files as it was", () => {
  const changed = [...fileOf("src/a/large.ts", 60), ...fileOf("src/a/small.ts", 20).slice(1)];
  const inLarge = (from: typeof all) =>
    new Set(chooseMutants(from, 80, 1).filter(({ file }) => file === "src/a/large.ts"));
  const before = [...inLarge(all)].map(({ before }) => before);
  const after = new Set(
    [...inLarge([...changed, ...fileOf("src/b/other.ts", 20)])].map(({ before }) => before),
  );
  assert.ok(before.filter((name) => !after.has(name)).length <= 1);
});

test("shares add up, and no share exceeds its size", () => {
  assert.deepEqual(
    [
      ...shareOut(7, [
        ["a", 10],
        ["b", 10],
        ["c", 1],
      ]).values(),
    ],
    [4, 3, 0],
  );
  assert.deepEqual(
    [
      ...shareOut(99, [
        ["a", 10],
        ["b", 1],
      ]).values(),
    ],
    [10, 1],
  );
});
