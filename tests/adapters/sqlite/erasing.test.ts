import assert from "node:assert/strict";
import { test } from "node:test";
import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import { createSqliteStore, openServedTime } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../../../src/adapters/sqlite/sqlite-turn-logs.ts";
import type { TurnRecord } from "../../../src/ports/turn-log.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { conversationOf } from "../../ports/conversations-under-test.ts";
import { terminal, textOf } from "../../ports/log-reading.ts";
import { openBeside } from "../../support/open-beside.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { dataFolder, failing, openStore } from "./open-store.ts";

/** No other text contains it, in whole or in part. */
const needle = "zqxjkv";
const anyOfIt = /zqxj|qxjk|xjkv/;
const clock = createTestClock({ instantMs: 1_000 });

/** Opens all stores that keep texts, on one file. */
async function open(file: string) {
  const store = await createSqliteStore({ clock, file, synchronous: "NORMAL", observer: failing });
  const options = {
    store,
    clock,
    served: await openServedTime(store, clock),
    retentionMs: 3_600_000,
    answerRetentionMs: 0,
    maxBytes: 1_000_000,
  };
  const conversations = createSqliteConversations({ store, clock });
  const logs = await createSqliteTurnLogs(options);
  return {
    conversations,
    logs,
    /** Settles when nothing is left to be erased. */
    async erased() {
      while ((await store.read("removedConversations")).length > 0);
    },
    /** Whether the erasing ends within a bounded number of checks. */
    async erasedSoon() {
      for (let looks = 0; looks < 1_000; looks += 1)
        if ((await store.read("removedConversations")).length === 0) return true;
      return false;
    },
    async [Symbol.asyncDispose]() {
      conversations[Symbol.dispose]();
      logs[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

const recordOf = (id: string, conversationId: string): TurnRecord => ({
  owner: "owner",
  id,
  contentHash: "hash",
  conversationId,
});

test("deleted messages are gone from the file: messages, index, logs, journal; other data stays whole", async () => {
  await using place = await dataFolder();
  let gone = "";
  {
    await using kept = await open(place.file);
    gone = await conversationOf(kept.conversations, "owner", `${needle} asked`, `${needle} answered`);
    const other = await conversationOf(kept.conversations, "owner", "Beside it");
    const ended = await kept.logs.create(recordOf("ended", gone));
    const running = await kept.logs.create(recordOf("running", other));
    assert.ok(ended.type === "created" && running.type === "created");
    for (const part of ["one ", "two ", "three "]) {
      await Promise.all([
        ended.log.append([textOf(`${needle} ${part}`)]),
        running.log.append([textOf(part)]),
      ]);
    }
    await ended.log.append([terminal]);
  }
  assert.match(await place.bytes(), anyOfIt);
  {
    await using kept = await open(place.file);
    assert.equal(await kept.conversations.remove("owner", gone), true);
    await kept.logs.forget("owner", gone);
    assert.equal(await kept.logs.find("owner", "ended"), undefined);
    await kept.erased();
  }
  assert.doesNotMatch(await place.bytes(), anyOfIt);
  await using kept = await open(place.file);
  const unfinished = await kept.logs.unfinished();
  assert.deepEqual(
    unfinished.map(({ record, steps }) => [record.id, steps]),
    [["running", [textOf("one "), textOf("two "), textOf("three ")]]],
  );
  assert.equal((await kept.conversations.search("owner", "beside", 10)).length, 1);
});

test("the text of a request before its retry is deleted with its conversation as well", async () => {
  await using place = await dataFolder();
  const kept = await open(place.file);
  const gone = await conversationOf(kept.conversations, "owner", "Asked");
  const beside = await kept.logs.create(recordOf("beside", "other"));
  assert.ok(beside.type === "created");
  let afterSeq = 0;
  for (const text of [`${needle} first`, `${needle} second`, `${needle} third`]) {
    const record = recordOf("retried", gone);
    const attempt = await kept.logs.create(afterSeq === 0 ? record : { ...record, afterSeq });
    assert.ok(attempt.type === "created");
    await attempt.log.append([textOf(text)]);
    // A turn that runs at the same time keeps the journal from being pruned.
    await beside.log.append([textOf("beside")]);
    await attempt.log.append([{ type: "failure", error: new TroupeError("upstream_error") }]);
    afterSeq = attempt.log.headSeq;
  }
  assert.equal(afterSeq, 6);
  assert.equal(await kept.conversations.remove("owner", gone), true);
  await kept.logs.forget("owner", gone);
  await kept.erased();
  await kept[Symbol.asyncDispose]();
  assert.doesNotMatch(await place.bytes(), anyOfIt);
});

test("a deletion that the process did not get to the end of is finished at the next start", async () => {
  await using place = await dataFolder();
  {
    await using kept = await open(place.file);
    await conversationOf(kept.conversations, "owner", `${needle} asked`);
    await conversationOf(kept.conversations, "owner", "Beside it");
  }
  const database = openBeside(place.file);
  const count = (table: string) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n;
  database.exec("UPDATE conversations SET owner = NULL, title = NULL WHERE title LIKE 'zq%'");
  {
    await using kept = await open(place.file);
    assert.deepEqual(await kept.conversations.search("owner", needle, 10), []);
    await kept.erased();
  }
  assert.deepEqual([count("conversations"), count("messages")], [1, 1]);
  database.close();
  assert.doesNotMatch(await place.bytes(), anyOfIt);
});

test("deleting a long conversation lets answers be written in between", async () => {
  await using place = await dataFolder();
  await using kept = await open(place.file);
  const questions = Array.from({ length: 1_000 }, (_, index) => `${needle} ${index}`);
  const long = await conversationOf(kept.conversations, "owner", ...questions);
  const other = await conversationOf(kept.conversations, "owner", "Beside it");
  const order: string[] = [];
  const removing = kept.conversations.remove("owner", long).then(() => order.push("removed"));
  // From here on no reader finds it.
  while ((await kept.conversations.head("owner", long)) !== undefined);
  assert.deepEqual(await kept.conversations.search("owner", needle, 10), []);
  await kept.conversations.append("owner", other, undefined, [
    { role: "user", text: "Meanwhile", status: "completed" },
  ]);
  order.push("appended");
  await removing;
  assert.deepEqual(order, ["appended", "removed"]);
});

test("conversations deleted while the index is still being cleaned are cleaned as well", async () => {
  await using place = await dataFolder();
  {
    await using kept = await open(place.file);
    const ids: string[] = [];
    for (let count = 0; count < 6; count += 1)
      ids.push(await conversationOf(kept.conversations, "owner", `${needle} ${count}`));
    await Promise.all(ids.slice(0, 3).map((id) => kept.conversations.remove("owner", id)));
    for (const id of ids.slice(3)) await kept.conversations.remove("owner", id);
    await kept.erased();
  }
  assert.doesNotMatch(await place.bytes(), anyOfIt);
});

test("after one deletion, the words of later deletions leave the index as well", async () => {
  await using place = await dataFolder();
  {
    await using kept = await open(place.file);
    for (const round of ["first", "second", "third"]) {
      const id = await conversationOf(kept.conversations, "owner", `${needle} ${round}`);
      await kept.conversations.remove("owner", id);
      assert.ok(await kept.erasedSoon(), round);
    }
  }
  assert.doesNotMatch(await place.bytes(), anyOfIt);
});

test("a conversation is removed also if an outage cuts its erasing off, so that its turns are stopped", async () => {
  const faults: unknown[] = [];
  await using opened = await openStore({ faulted: ({ error }) => void faults.push(error) });
  const { store, clock: time } = opened;
  const refusal = new TroupeError("storage_unavailable");
  const of = (owner: string) =>
    Object.create(store.of(owner), { writeSlice: { value: () => Promise.reject(refusal) } });
  using conversations = createSqliteConversations({
    store: Object.create(store, { of: { value: of } }),
    clock: time,
  });
  const id = await conversationOf(conversations, "owner", "Asked", "Answered");
  assert.equal(await conversations.remove("owner", id), true);
  assert.deepEqual([await conversations.head("owner", id), faults], [undefined, [refusal]]);
});
