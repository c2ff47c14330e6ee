import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { createSqliteStore } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteVendorIds } from "../../../src/adapters/sqlite/sqlite-vendor-ids.ts";
import { vendorIdRetentionMs } from "../../../src/ports/vendor-ids.ts";
import { describeVendorIds } from "../../ports/vendor-ids-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { dataFolder, onFault, openStore } from "./open-store.ts";

describeVendorIds("sqlite", async () => {
  const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
  return { store: await createSqliteVendorIds({ store, clock }), clock, [Symbol.asyncDispose]: dispose };
});

async function openVendorIds(file: string) {
  const clock = createTestClock({ instantMs: 1_000 });
  const store = await createSqliteStore({ clock, file, synchronous: "NORMAL", onStorage: onFault });
  const ids = await createSqliteVendorIds({ store, clock });
  return { clock, store, ids, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

test("an id is there for the next process", async () => {
  await using place = await dataFolder();
  {
    await using first = await openVendorIds(place.file);
    await first.ids.note("ada", ["resp_1"]);
  }
  await using second = await openVendorIds(place.file);
  assert.equal(await second.ids.isOwn("ada", "resp_1"), true);
});

test("an id is in no later commit than what is appended after it was noted", async () => {
  await using place = await dataFolder();
  await using opened = await openVendorIds(place.file);
  using reader = new DatabaseSync(place.file, { readOnly: true });
  const noted = opened.ids.note("ada", ["resp_1"]);
  await opened.store.journal([1, 1, []], true);
  assert.equal(reader.prepare("SELECT count(*) AS n FROM vendor_ids").get()?.n, 1);
  await noted;
});

test("ids whose time is over leave the file a few at a time, while new ones come", async () => {
  await using place = await dataFolder();
  await using opened = await openVendorIds(place.file);
  using reader = new DatabaseSync(place.file, { readOnly: true });
  const count = () => Number(reader.prepare("SELECT count(*) AS n FROM vendor_ids").get()?.n);
  await opened.ids.note(
    "ada",
    Array.from({ length: 20 }, (_, index) => `old-${index}`),
  );
  await opened.clock.advance(vendorIdRetentionMs + 1);
  const counts: number[] = [];
  for (let index = 0; index < 7; index += 1) {
    await opened.ids.note("ada", [`new-${index}`]);
    counts.push(count());
  }
  assert.deepEqual(counts, [17, 14, 11, 8, 5, 6, 7]);
});
