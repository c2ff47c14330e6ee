import assert from "node:assert/strict";
import { test } from "node:test";
import { FairQueue } from "../../src/ports/fair-shares.ts";

test("owners take turns, however much one of them has waiting, and each owner's items keep their order", () => {
  const queue = new FairQueue<string>();
  for (let item = 1; item <= 1_000; item += 1) queue.add("many", `many ${item}`);
  queue.add("few", "few 1");
  queue.add("few", "few 2");
  const taken = Array.from({ length: 5 }, () => queue.take());
  assert.deepEqual(taken, ["many 1", "few 1", "many 2", "few 2", "many 3"]);
  while (queue.take() !== undefined);
  assert.equal(queue.isEmpty, true);
});

test("items that are due are taken out of all owners' turns, and the others keep their places", () => {
  const queue = new FairQueue<string>();
  for (const item of ["a 1", "a 2", "a 3", "b 1", "c 2", "c 3"]) queue.add(item.charAt(0), item);
  assert.deepEqual(
    queue.takeAll((item) => item.endsWith("1") || item.startsWith("c")),
    ["a 1", "b 1", "c 2", "c 3"],
  );
  assert.deepEqual(
    [queue.take(), queue.take(), queue.take(), queue.isEmpty],
    ["a 2", "a 3", undefined, true],
  );
});
