import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSqliteStore, openServedTime } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../../../src/adapters/sqlite/sqlite-turn-logs.ts";
import type { Fault } from "../../../src/ports/observer.ts";
import { storedVersion } from "../../../src/ports/stored-version.ts";
import { followed, terminal, textOf } from "../../ports/log-reading.ts";
import { recordOf } from "../../ports/turn-log-store-contract.ts";
import { openBeside } from "../../support/open-beside.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { dataFolder } from "./open-store.ts";

const hourMs = 3_600_000;

/** The logs of a file, on a clock on which it is `instantMs`, and their faults. */
async function open(file: string, instantMs: number) {
  const clock = createTestClock({ instantMs });
  const faults: string[] = [];
  const observer = { faulted: ({ error }: Fault) => void faults.push(String(error)) };
  const store = await createSqliteStore({ clock, file, synchronous: "NORMAL", observer });
  const served = await openServedTime(store, clock);
  const logs = await createSqliteTurnLogs({
    ...{ store, clock, served, retentionMs: hourMs, answerRetentionMs: 10 * hourMs, maxBytes: 1_000_000 },
  });
  return {
    ...{ logs, clock, faults },
    async read(id: string): Promise<string | undefined> {
      const found = await logs.find("owner", id);
      if (found === undefined) return undefined;
      const follower = followed(found.log, 0);
      await follower.ended;
      return follower.read();
    },
    async [Symbol.asyncDispose]() {
      logs[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

const broken: Readonly<Record<string, string>> = {
  "no-json": "log = '['",
  shape: "log = '{}'",
  empty: "log = '[]'",
  event: "log = json_set(log, '$[0].text', 7)",
  type: "log = json_set(log, '$[0].type', 'song')",
  end: "log = json_set(log, '$[1].answer.kind', 'song')",
  later: `version = ${storedVersion + 1}`,
};
const ids = ["whole", ...Object.keys(broken), "also-whole"];

/** A file with ended turns, broken by the statement of their name. */
async function brokenFile() {
  const place = await dataFolder();
  {
    await using opened = await open(place.file, 1_000);
    for (const id of ids) {
      const created = await opened.logs.create({ ...recordOf("owner", id), conversationId: "c-1" });
      assert.ok(created.type === "created");
      await created.log.append([textOf("a"), terminal]);
    }
    await opened.clock.advance(25);
  }
  using database = openBeside(place.file);
  for (const [id, change] of Object.entries(broken)) {
    const { changes } = database.prepare(`UPDATE turns SET ${change} WHERE id = ?`).run(id);
    assert.equal(changes, 1);
  }
  return place;
}

describe("ended turns whose log cannot be read", () => {
  it("have one end, as interrupted, and are reported; the others are whole", async () => {
    await using place = await brokenFile();
    await using opened = await open(place.file, 2_000);
    for (const id of ids)
      assert.equal(await opened.read(id), id in broken ? "1:failure" : "1:a 2:answer", id);
    assert.equal(opened.faults.length, Object.keys(broken).length);
  });

  it("keep no other log from being compacted, and stay as they are", async () => {
    await using place = await brokenFile();
    const read = (sql: string) => {
      using database = openBeside(place.file, { readOnly: true });
      return database.prepare(sql).all();
    };
    const before = read("SELECT id, coalesce(log, answer) AS text FROM turns");
    await using opened = await open(place.file, 1_000);
    await opened.clock.advance(2 * hourMs);
    // A commit may wait for a beat.
    while (read("SELECT 1 FROM turns WHERE log IS NOT NULL").length > 1) await opened.clock.advance(25);
    assert.deepEqual(
      read("SELECT id FROM turns WHERE log IS NOT NULL").map(({ id }) => id),
      ["later"],
    );
    for (const id of ids) {
      assert.equal(await opened.read(id), id in broken ? "1:failure" : "trimmed-1 2:answer", id);
    }
    const texts = new Map(before.map(({ id, text }) => [id, text]));
    // Only its last event is broken, which is copied unread.
    for (const { id, text } of read("SELECT id, coalesce(log, answer) AS text FROM turns"))
      if (String(id) in broken && id !== "end") assert.equal(text, texts.get(id), String(id));
  });

  it("are deleted with their conversation", async () => {
    await using place = await brokenFile();
    await using opened = await open(place.file, 2_000);
    await opened.logs.forget("owner", "c-1");
    using database = openBeside(place.file, { readOnly: true });
    assert.deepEqual(database.prepare("SELECT id FROM turns").all(), []);
  });
});

it("a beat of the journal that cannot be read is emptied when one of its turns is deleted", async () => {
  await using place = await dataFolder();
  await using opened = await open(place.file, 1_000);
  const created = await opened.logs.create({ ...recordOf("owner", "id"), conversationId: "c-1" });
  assert.ok(created.type === "created");
  await created.log.append([textOf("secret"), terminal]);
  await opened.clock.advance(25);
  {
    using database = openBeside(place.file);
    database.exec("UPDATE journal SET entries = substr(entries, 1, length(entries) - 1)");
  }
  await opened.logs.forget("owner", "c-1");
  using database = openBeside(place.file, { readOnly: true });
  assert.deepEqual(
    database
      .prepare("SELECT entries FROM journal")
      .all()
      .map(({ entries }) => entries),
    ["[]"],
  );
});
