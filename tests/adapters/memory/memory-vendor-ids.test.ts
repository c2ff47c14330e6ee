import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryVendorIds } from "../../../src/adapters/memory/memory-vendor-ids.ts";
import { describeVendorIds } from "../../ports/vendor-ids-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";

describeVendorIds("memory", async () => {
  const clock = createTestClock();
  return { store: createMemoryVendorIds({ clock }), clock, [Symbol.asyncDispose]: async () => undefined };
});

test("a caller with many ids loses its own oldest, and no other caller loses any", async () => {
  const store = createMemoryVendorIds({ clock: createTestClock(), maxIds: 10, maxPerOwner: 3 });
  await store.note("bob", ["b-1", "b-2"]);
  for (let count = 1; count <= 50; count += 1) await store.note("ada", [`a-${count}`]);
  const own = async (owner: string, ids: readonly string[]) =>
    Promise.all(ids.map((id) => store.isOwn(owner, id)));
  assert.deepEqual(await own("bob", ["b-1", "b-2"]), [true, true]);
  assert.deepEqual(await own("ada", ["a-47", "a-48", "a-49", "a-50"]), [false, true, true, true]);
});

test("no more ids are kept than there is room for, the newest of all", async () => {
  const store = createMemoryVendorIds({ clock: createTestClock(), maxIds: 4, maxPerOwner: 3 });
  for (let count = 1; count <= 9; count += 1) await store.note(`owner-${count}`, [`id-${count}`]);
  const kept = await Promise.all(
    Array.from({ length: 9 }, (_, index) => store.isOwn(`owner-${index + 1}`, `id-${index + 1}`)),
  );
  assert.deepEqual(kept, [false, false, false, false, false, true, true, true, true]);
});
