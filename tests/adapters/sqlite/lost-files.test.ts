import assert from "node:assert/strict";
import { open, rename, rm } from "node:fs/promises";
import { describe, it } from "node:test";
import { DatabaseFault } from "../../../src/adapters/sqlite/database-faults.ts";
import type { WorkerThread } from "../../../src/adapters/sqlite/database-threads.ts";
import { watchFiles } from "../../../src/adapters/sqlite/file-watch.ts";
import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import { createSqliteStore } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { isStorageUnavailable } from "../../../src/protocol/errors.ts";
import { createDataFolder } from "../../crash/data-folder.ts";
import { conversationOf } from "../../ports/conversations-under-test.ts";
import { openBeside } from "../../support/open-beside.ts";
import { startTroupe } from "../../support/start-troupe.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { until } from "../../support/until.ts";
import { dataFolder, failing } from "./open-store.ts";

const pageBytes = 4_096;

/** Opens the stores and records the faults that they report. */
async function openNoting(file: string, clock = createTestClock({ instantMs: 1_000 })) {
  const faults: string[] = [];
  const damages: string[] = [];
  const store = await createSqliteStore({
    clock,
    file,
    synchronous: "NORMAL",
    observer: {
      storageChanged(change) {
        if (change.state === "damaged") damages.push(change.part);
        else faults.push(change.state === "failing" ? change.error.message : "works again");
      },
      faulted(fault) {
        // A read in the background may meet the lost file before the next check does.
        if (!isStorageUnavailable(fault.error)) failing.faulted?.(fault);
      },
    },
  });
  const conversations = createSqliteConversations({ store, clock });
  return {
    ...{ store, clock, faults, damages, conversations },
    async [Symbol.asyncDispose]() {
      conversations[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** Overwrites the first page of a table with garbage, as a disk that loses power may. */
async function tear(file: string, table: string): Promise<void> {
  const database = openBeside(file);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const row = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").get(table);
  database.close();
  const handle = await open(file, "r+");
  await handle.write(Buffer.alloc(pageBytes, 0x5a), 0, pageBytes, (Number(row?.rootpage) - 1) * pageBytes);
  await handle.close();
}

describe("the database's files while they are open", () => {
  for (const suffix of ["", "-wal", "-shm", "-lock"]) {
    it(`are missed within seconds: troupe.db${suffix}`, async () => {
      await using place = await dataFolder();
      await using opened = await openNoting(place.file);
      const { store, clock, faults } = opened;
      await rm(place.file + suffix);
      while (store.fault === undefined) await clock.advance(2_000);
      assert.equal(faults.length, 1);
      // A connection that opens the database meanwhile creates some of them again.
      const [told = ""] = faults;
      assert.ok(told.startsWith(`${place.file}${suffix} was `) && /was (deleted|replaced)/.test(told), told);
    });
  }

  it("are not missed when no look can be made, because no more files can be opened", async () => {
    await using place = await dataFolder();
    const clock = createTestClock();
    const lost: Error[] = [];
    let looks = 0;
    const reader: Pick<WorkerThread, "call"> = {
      async call() {
        looks += 1;
        throw new DatabaseFault(
          looks < 4 ? "unable to open database file" : "malformed",
          looks < 4 ? 14 : 11,
        );
      },
    };
    using _ = await watchFiles({ clock, file: place.file, reader, onLost: (fault) => lost.push(fault) });
    // A look waits for the file system, so a second advance during it could start another one.
    const look = async () => {
      const before = looks;
      await clock.advance(2_000);
      await until(() => looks > before && clock.sleeping > 0);
    };
    for (let made = 0; made < 3; made += 1) await look();
    assert.deepEqual(lost, []);
    await look();
    assert.equal(lost.length, 1);
  });

  it("are found again when they are put back", async () => {
    await using place = await dataFolder();
    await using opened = await openNoting(place.file);
    const { store, clock, faults } = opened;
    await rename(`${place.file}-lock`, `${place.file}-away`);
    while (store.fault === undefined) await clock.advance(2_000);
    await rename(`${place.file}-away`, `${place.file}-lock`);
    while (store.fault !== undefined) await clock.advance(5_000);
    assert.equal(faults.at(-1), "works again");
  });

  it("are read from the disk: a torn page is reported", async () => {
    await using place = await dataFolder();
    await using opened = await openNoting(place.file);
    await conversationOf(opened.conversations, "owner", "Kept.");
    await tear(place.file, "messages");
    while (opened.store.fault === undefined) await opened.clock.advance(2_000);
    assert.match(opened.faults[0] ?? "", /is damaged: table messages/);
  });

  it("make /readyz say so", async () => {
    await using place = await createDataFolder();
    const clock = createTestClock({ instantMs: 1_000 });
    await using server = await startTroupe({ store: "sqlite", data: place.folder, clock });
    const ready = () => fetch(`${server.httpUrl}/readyz`);
    assert.equal((await ready()).status, 200);
    await rm(place.database);
    let answer = await ready();
    for (; answer.status === 200; answer = await ready()) await clock.advance(2_000);
    assert.deepEqual(
      [answer.status, await answer.json()],
      [503, { status: "not_ready", reason: "storage_unavailable" }],
    );
  });
});

describe("a start on a damaged file", () => {
  async function damaged(table: string) {
    const place = await dataFolder();
    const clock = createTestClock({ instantMs: 1_000 });
    {
      await using opened = await openNoting(place.file, clock);
      await conversationOf(opened.conversations, "owner", "A canary that is kept.");
    }
    await tear(place.file, table);
    return { ...place, clock };
  }

  for (const table of ["turns", "journal", "keys"]) {
    it(`is refused with one line if ${table} is damaged`, async () => {
      await using place = await damaged(table);
      await assert.rejects(openNoting(place.file, place.clock), ({ message }: Error) => {
        assert.ok(message.includes(`the table ${table} of ${place.file} is damaged`), message);
        return !message.includes("\n");
      });
    });
  }

  for (const table of ["word_blocks", "block_messages"]) {
    it(`rebuilds the search index if ${table} is damaged`, async () => {
      await using place = await damaged(table);
      await using opened = await openNoting(place.file, place.clock);
      const { conversations, damages, store, clock } = opened;
      assert.ok(damages.length === 1 && damages[0]?.includes(`the table ${table} of`), `${damages}`);
      assert.equal((await conversations.search("owner", "canary", 10)).length, 1);
      await conversationOf(conversations, "owner", "Another canary.");
      assert.equal((await conversations.search("owner", "canary", 10)).length, 2);
      await clock.advance(10_000);
      assert.equal(store.fault, undefined);
    });
  }

  it("goes on without the conversations that cannot be read", async () => {
    await using place = await damaged("messages");
    await using opened = await openNoting(place.file, place.clock);
    const { conversations, damages, store, clock } = opened;
    assert.ok(damages[0]?.includes("the table messages of"), `${damages}`);
    const listed = (await conversations.list("owner", { limit: 10 })).conversations;
    assert.equal(listed.length, 1);
    const { id = "" } = listed[0] ?? {};
    for (const read of [
      () => conversations.messages("owner", id, 1_000),
      () => conversations.path("owner", id, listed[0]?.headId ?? "", 1_000),
      () => conversations.search("owner", "canary", 10),
    ])
      await assert.rejects(read, { code: "storage_unavailable" });
    await store.journal([1, 1, []], true);
    await clock.advance(10_000);
    assert.equal(store.fault, undefined);
  });
});
