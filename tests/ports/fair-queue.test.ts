import assert from "node:assert/strict";
import { test } from "node:test";
import { FairQueue } from "../../src/ports/fair-queue.ts";

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
