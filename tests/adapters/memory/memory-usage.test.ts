import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryUsage } from "../../../src/adapters/memory/memory-usage.ts";
import { callOf, describeUsageStore, pagesOf, used } from "../../ports/usage-store-contract.ts";

describeUsageStore("memory", async () => ({
  store: createMemoryUsage(),
  [Symbol.asyncDispose]: async () => undefined,
}));

test("made-up models do not fill the memory: the oldest sums give way", async () => {
  const store = createMemoryUsage();
  for (let count = 0; count < 10_010; count += 1) {
    const call = callOf({ model: `m-${count}` });
    store.begin(call);
    store.end(call.id, { ...used(1, 1), outcome: "failed", day: 100 });
  }
  const sums = (await pagesOf(store, 100, 100)).flat();
  assert.equal(sums.length, 10_000);
  assert.ok(sums.every(({ model }) => model !== "m-9") && sums.some(({ model }) => model === "m-10009"));
});
