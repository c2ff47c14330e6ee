import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { createMemoryConversations } from "../../../src/adapters/memory/memory-conversations.ts";
import { migrate } from "../../../src/adapters/sqlite/migrations.ts";
import { type Ask, startJob } from "../../../src/adapters/sqlite/sliced-jobs.ts";
import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import { createSqliteStore } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { type Row, statements } from "../../../src/adapters/sqlite/statements.ts";
import { conversationOf } from "../../ports/conversations-under-test.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { makeFirstVersion } from "./first-version.ts";
import { dataFolder, failing, openStore } from "./open-store.ts";

const words = (count: number, of = "filler") =>
  Array.from({ length: count }, (_, index) => `${of}${index}`).join(" ");

/** A database in memory, whose searches run step by step. */
function openDatabase() {
  const database = new DatabaseSync(":memory:");
  migrate(database);
  let ids = 0;
  return {
    add(owner: string, ...texts: readonly string[]) {
      ids += 1;
      const id = `c-${ids}`;
      database.prepare(statements.createConversation).run(id, owner, 1, 1);
      for (const text of texts) {
        ids += 1;
        database
          .prepare(statements.insertMessage)
          .run(`m-${ids}`, null, null, "user", null, null, text, null, "completed", 1, 0, id, owner);
      }
    },
    /** All statements of a search with the number of their rows, the number of steps, and the results. */
    search(owner: string, query: string) {
      const asked: string[] = [];
      const ask: Ask = (name, ...values) => {
        const rows = database.prepare(statements[name]).all(...values) as Row[];
        asked.push(`${name}: ${rows.length}`);
        return rows;
      };
      const job = startJob(ask, "search", [owner, query, 100]);
      let steps = 0;
      while (job.steps.next().done !== true) steps += 1;
      return { asked, steps, found: job.rows.length };
    },
  };
}

describe("a search by blocks", () => {
  it("does the same work however much others have written", () => {
    const alone = openDatabase();
    const beside = openDatabase();
    for (const { add } of [alone, beside]) add("owner", "The canary of the owner.", words(20_000));
    for (let count = 0; count < 300; count += 1) beside.add("other", `canary ${words(100)}`);
    for (const { add } of [alone, beside]) add("owner", "Another one.");
    for (const query of ["canary", "filler1", "nothing", "can"]) {
      const expected = alone.search("owner", query);
      assert.deepEqual(beside.search("owner", query), expected);
    }
  });

  it("takes time that grows as the texts do", () => {
    const steps = [1, 4].map((times) => {
      const database = openDatabase();
      for (let count = 0; count < 20 * times; count += 1) database.add("owner", words(5_000));
      return database.search("owner", "filler1 nothing").steps;
    });
    const [once = 0, fourTimes = 0] = steps;
    assert.ok(once > 0 && fourTimes <= 4.1 * once, `${steps}`);
  });

  it("finds words anywhere in long texts, and in one text that has all of them, as a search through all texts does", async () => {
    await using opened = await openStore();
    const { store, clock } = opened;
    using indexed = createSqliteConversations({ store, clock });
    const plain = createMemoryConversations({ clock, maxBytes: 100_000_000 });
    const texts = [
      `First ${words(12_000)} Mittel-Stück ${words(12_000)} last`,
      ...Array.from({ length: 12 }, (_, index) => `${words(2_000, `w${index}x`)} first`),
      "漢字".repeat(60_000),
      `${words(3_000)} Last`,
    ];
    await conversationOf(indexed, "owner", ...texts);
    await conversationOf(plain, "owner", ...texts);
    await clock.advance(10_000);
    await store.flushed();
    const queries = [
      "first",
      "last",
      "first last",
      "mittel-stuck",
      "w3x19 first",
      "字漢字",
      "filler11999",
      "none",
    ];
    for (const query of queries) {
      const [one, other] = await Promise.all(
        [indexed, plain].map(async (under) =>
          (await under.search("owner", query, 100)).map(({ excerpt }) => excerpt),
        ),
      );
      assert.deepEqual(one, other, query);
      assert.ok(query === "none" || (one?.length ?? 0) > 0, query);
    }
  });

  it("makes lists of words by which full blocks are left out", async () => {
    await using opened = await openStore();
    const { store, clock } = opened;
    using conversations = createSqliteConversations({ store, clock });
    await conversationOf(conversations, "owner", words(20_000), "The open block.");
    // Waits until every full block is listed, so that none is listed while the test changes one.
    while ((await store.read("blocksToIndex", Number.MIN_SAFE_INTEGER)).length > 0)
      await clock.advance(10_000);
    const [newest] = await store.read("blockBefore", "owner", Number.MAX_SAFE_INTEGER);
    const [full] = await store.read("blockBefore", "owner", Number(newest?.number));
    assert.equal(newest?.words, null);
    assert.match(String(full?.words), /\nfiller19999\n/);
  });

  it("holds the texts of an earlier version, whose own index is removed from the file", async () => {
    await using place = await dataFolder();
    makeFirstVersion(place.file);
    const clock = createTestClock({ instantMs: 1_000 });
    await using store = await createSqliteStore({
      ...{ clock, file: place.file, synchronous: "NORMAL", observer: failing },
    });
    using conversations = createSqliteConversations({ store, clock });
    assert.equal((await conversations.search("anonymous", "old", 10)).length, 2);
    while ((await store.read("hasOldIndex")).length > 0);
    assert.equal((await conversations.search("anonymous", "old", 10)).length, 2);
    await conversations.remove("anonymous", "c-1");
    assert.deepEqual(await store.read("blockBefore", "anonymous", Number.MAX_SAFE_INTEGER), []);
  });

  it("ends after 2 s with the results so far", async () => {
    await using opened = await openStore();
    const { store, clock } = opened;
    using conversations = createSqliteConversations({ store, clock });
    const texts = Array.from({ length: 40 }, (_, index) => `needle ${index} ${"é ".repeat(40_000)}`);
    await conversationOf(conversations, "owner", ...texts);
    const searching = conversations.search("owner", "needle", 100);
    await clock.advance(2_000);
    const found = await searching;
    assert.ok(found.length < 40, `${found.length}`);
  });
});
