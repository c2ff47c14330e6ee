import assert from "node:assert/strict";
import { test } from "node:test";
import { migrate } from "../../../src/adapters/sqlite/migrations.ts";
import { createSqliteStore, openServedTime } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteVendorIds } from "../../../src/adapters/sqlite/sqlite-vendor-ids.ts";
import { vendorIdRetentionMs } from "../../../src/ports/vendor-ids.ts";
import { describeVendorIds } from "../../ports/vendor-ids-contract.ts";
import { openBeside } from "../../support/open-beside.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { dataFolder, failing, openStore } from "./open-store.ts";

describeVendorIds("sqlite", async () => {
  const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
  const served = await openServedTime(store, clock);
  return { store: createSqliteVendorIds({ store, served }), clock, [Symbol.asyncDispose]: dispose };
});

async function openVendorIds(file: string) {
  const clock = createTestClock({ instantMs: 1_000 });
  const store = await createSqliteStore({ clock, file, synchronous: "NORMAL", observer: failing });
  const ids = createSqliteVendorIds({ store, served: await openServedTime(store, clock) });
  return { clock, store, ids, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

test("the next process finds an id", async () => {
  await using place = await dataFolder();
  {
    await using first = await openVendorIds(place.file);
    await first.ids.note("ada", ["resp_1"]);
  }
  await using second = await openVendorIds(place.file);
  assert.equal(await second.ids.isOwn("ada", "resp_1"), true);
});

test("an id is committed no later than the events appended after it", async () => {
  await using place = await dataFolder();
  await using opened = await openVendorIds(place.file);
  using reader = openBeside(place.file, { readOnly: true });
  const noted = opened.ids.note("ada", ["resp_1"]);
  await opened.store.journal([1, 1, []], true);
  assert.equal(reader.prepare("SELECT count(*) AS n FROM vendor_ids").get()?.n, 1);
  await noted;
});

test("expired ids leave the file a few at a time, while new ones are added", async () => {
  await using place = await dataFolder();
  await using opened = await openVendorIds(place.file);
  using reader = openBeside(place.file, { readOnly: true });
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

test("responses of turns that were kept before ids had owners are their owners'", async () => {
  await using place = await dataFolder();
  {
    using database = openBeside(place.file);
    migrate(database, 5);
    const terminal = (id: unknown) => ({ type: "answer", answer: { kind: "responses", response: { id } } });
    const turn = database.prepare(`INSERT INTO turns
      (number, owner, id, content_hash, created_at_ms, ended_at_ms, first_beat, log, answer) VALUES (?, ?, ?, '', 1, 1, 1, ?, ?)`);
    turn.run(1, "ada", "whole", JSON.stringify([{ type: "status" }, terminal("resp_1")]), null);
    turn.run(2, "bob", "compacted", null, JSON.stringify({ throughSeq: 1, terminal: terminal("resp_2") }));
    turn.run(3, "ada", "failed", JSON.stringify([{ type: "failure" }]), null);
    turn.run(4, "ada", "strange", JSON.stringify([terminal(7)]), null);
  }
  await using opened = await openVendorIds(place.file);
  const own = (owner: string) =>
    Promise.all(["resp_1", "resp_2", "7"].map((id) => opened.ids.isOwn(owner, id)));
  assert.deepEqual(
    [await own("ada"), await own("bob")],
    [
      [true, false, false],
      [false, true, false],
    ],
  );
});
