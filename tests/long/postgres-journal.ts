import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createPostgresUsage } from "../../src/adapters/postgres/postgres-usage.ts";
import type { TurnLog } from "../../src/ports/turn-log.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { checkpoint, followed, terminal, textOf } from "../ports/log-reading.ts";
import { created, recordOf } from "../ports/turn-log-store-contract.ts";
import { callOf } from "../ports/usage-store-contract.ts";
import { createFaultyProxy } from "./postgres/faulty-proxy.ts";
import { createNotes } from "./postgres/noted-faults.ts";
import { emptyDatabase, openLogs, runOn, sharedServer, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const failure = { type: "failure", error: new TroupeError("turn_timeout") } as const;

/** Waits until a query's first row has a value that fits. */
async function untilRow(url: string, text: string, fits: (value: number) => boolean): Promise<void> {
  for (;;) {
    const [row] = await runOn(url, text);
    if (fits(Number(Object.values(row ?? {})[0]))) return;
    await sleep(5);
  }
}

const sentIn = "SELECT max(sent) FROM fences";

/** The numbers and texts that a new reader of a log finds. */
async function readAll(log: TurnLog): Promise<string> {
  const follower = followed(log, 0);
  await follower.ended;
  return follower.read();
}

/** The numbers and texts of a turn's rows, in their order. */
async function rowsOf(url: string, id: string): Promise<string> {
  const rows = await runOn(
    url,
    "SELECT first_seq, part, steps FROM events JOIN turns ON number = turn WHERE id = $1 ORDER BY first_seq, part",
    [id],
  );
  return rows
    .map(({ first_seq: seq, steps }) =>
      (JSON.parse(String(steps)) as { text?: string; type: string }[])
        .map(({ text, type }) => `${seq}:${text ?? type}`)
        .join(" "),
    )
    .join(" ");
}

describe("the journal in PostgreSQL", withPostgres, () => {
  after(stopShared);

  it("commits once what it sends again because the answer was lost", async () => {
    const database = await emptyDatabase();
    await using proxy = await createFaultyProxy(database);
    await using at = await openLogs({ url: proxy.url });
    const log = await created(at.logs, "owner", "id");
    for (const number of numbers(20)) {
      proxy.swallow();
      const appended = log.append([textOf(`${number}`), textOf("and")]);
      await untilRow(database, sentIn, (sent) => sent === number + 1);
      proxy.cut();
      await appended;
    }
    await log.append([terminal]);
    const expected = numbers(20).flatMap((number) => [`${2 * number - 1}:${number}`, `${2 * number}:and`]);
    assert.equal(await readAll(log), [...expected, "41:answer"].join(" "));
    assert.deepEqual(await runOn(database, "SELECT count(*)::int AS rows FROM events"), [{ rows: 21 }]);
    assert.deepEqual(await runOn(database, "SELECT sent::int FROM fences"), [{ sent: 22 }]);
  });

  it("knows its turn again if the answer to its beginning was lost", async () => {
    const database = await emptyDatabase();
    await using proxy = await createFaultyProxy(database);
    await using at = await openLogs({ url: proxy.url });
    proxy.swallow();
    const creating = created(at.logs, "owner", "id");
    await untilRow(database, sentIn, (sent) => sent === 1);
    proxy.cut();
    await (await creating).append([textOf("a"), terminal]);
    assert.equal(await rowsOf(database, "id"), "1:a 1:answer");
  });

  it("changes nothing by a statement that arrives after it was sent again", async () => {
    const database = await emptyDatabase();
    await using proxy = await createFaultyProxy(database);
    await using at = await openLogs({ url: proxy.url });
    const conversationId = await at.conversations.create("owner");
    const move = (headId: string) => {
      const place = { owner: "owner", conversationId, headId, title: null, atMs: 0 };
      return at.store.commit({ kind: "messages", ...place, messages: [] }, true);
    };
    await move("first");
    const found = () => runOn(database, "SELECT head_id, changed::int FROM conversations");
    for (const number of numbers(10)) {
      const held = proxy.hold();
      const moved = move(`late ${number}`);
      await held;
      proxy.cut();
      await moved;
      await move(`new ${number}`);
      const before = await found();
      await proxy.release();
      assert.equal(before[0]?.head_id, `new ${number}`);
      assert.deepEqual(await found(), before);
    }
  });

  it("goes on through restarts and killed connections, and loses or doubles nothing", async () => {
    const server = await sharedServer();
    const notes = createNotes();
    await using at = await openLogs({ observer: notes.observer });
    const ids = numbers(6).map((number) => `turn ${number}`);
    let isOver = false;
    const logs = await Promise.all(ids.map((id) => created(at.logs, "owner", id)));
    const written = logs.map(async (log) => {
      let count = 0;
      for (; !isOver || count < 20; count += 1) await log.append([textOf(`${count + 1}`)]);
      await log.append([terminal]);
      return [...numbers(count).map((seq) => `${seq}:${seq}`), `${count + 1}:answer`].join(" ");
    });
    for (const round of numbers(3)) {
      await sleep(50 * round);
      await server.restart("immediate");
      await untilRow(at.url, "SELECT 1", () => true);
      for (const _ of numbers(5)) {
        await sleep(20);
        await runOn(
          at.url,
          "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
      }
    }
    isOver = true;
    const expected = await Promise.all(written);
    for (const [index, id] of ids.entries()) assert.equal(await rowsOf(at.url, id), expected[index]);
    assert.deepEqual(notes.faults, []);
  });

  it("writes nothing more once its fence is gone", async () => {
    const notes = createNotes();
    await using at = await openLogs({ observer: notes.observer });
    const log = await created(at.logs, "owner", "id");
    await log.append([textOf("a")]);
    await runOn(at.url, "DELETE FROM fences");
    for (let tries = 0; tries < 2; tries += 1)
      await assert.rejects(log.append([textOf("b")]), { code: "storage_unavailable" });
    await assert.rejects(at.logs.create(recordOf("owner", "other")), { code: "storage_unavailable" });
    assert.equal(await at.store.canStore(), false);
    assert.equal(await rowsOf(at.url, "id"), "1:a");
    assert.match(String(notes.states[0]), /other nodes have taken over/);
  });

  it("lets several nodes write side by side, and leaves nothing of a node that stops", async () => {
    const { url, store, logs, ...first } = await openLogs();
    const second = await openLogs({ url });
    assert.notEqual(second.store.incarnation, store.incarnation);
    for (const { log, text } of [
      { log: await created(logs, "owner", "first"), text: "a" },
      { log: await created(second.logs, "owner", "second"), text: "b" },
    ])
      await log.append([textOf(text), terminal]);
    await first[Symbol.asyncDispose]();
    assert.deepEqual(
      [await rowsOf(url, "first"), await rowsOf(url, "second")],
      ["1:a 1:answer", "1:b 1:answer"],
    );
    const others = "SELECT incarnation::int FROM fences UNION ALL SELECT incarnation::int FROM nodes";
    assert.deepEqual(
      (await runOn(url, others)).map(({ incarnation }) => incarnation),
      [second.store.incarnation, second.store.incarnation],
    );
    await second[Symbol.asyncDispose]();
  });

  it("refuses the one row at fault, and commits all others of its beat", async () => {
    const notes = createNotes();
    await using at = await openLogs({ observer: notes.observer });
    const logs = await Promise.all(numbers(9).map((number) => created(at.logs, "owner", `turn ${number}`)));
    // Another process has written under the number that this turn is about to use.
    await runOn(
      at.url,
      "INSERT INTO events (turn, first_seq, part, version, steps) SELECT number, 1, 0, 2, '[]' FROM turns WHERE id = 'turn 5'",
    );
    const usage = createPostgresUsage({ store: at.store });
    for (const id of ["one", "same", "same", "two"]) usage.begin(callOf({ id }));
    const appended = await Promise.allSettled(logs.map((log) => log.append([textOf("a"), terminal])));
    assert.deepEqual(
      appended.map(({ status }) => status),
      numbers(9).map((number) => (number === 5 ? "rejected" : "fulfilled")),
    );
    assert.equal((await usage.sums("ada", 100, 100))[0]?.calls, 3);
    assert.equal(notes.faults.length, 1);
    assert.deepEqual(notes.states, []);
  });

  it("refuses everything while the database does, tells an end without a number, and stores it afterwards", async () => {
    const notes = createNotes();
    await using at = await openLogs({ observer: notes.observer });
    const [log, other] = [await created(at.logs, "owner", "id"), await created(at.logs, "owner", "other")];
    await log.append([textOf("a")]);
    const follower = followed(log, 0);
    await runOn(at.url, "ALTER TABLE events RENAME TO away");
    await assert.rejects(other.append([textOf("b")]), { code: "storage_unavailable" });
    await log.append([failure]);
    await follower.ended;
    assert.equal(follower.read(), "1:a unkept-storage_unavailable");
    assert.deepEqual([log.headSeq, log.ended], [1, false]);
    await assert.rejects(at.logs.create(recordOf("owner", "new")), { code: "storage_unavailable" });
    await runOn(at.url, "ALTER TABLE away RENAME TO events");
    for (; !log.ended; await sleep(5)) await at.storeClock.advance(1_000);
    assert.equal(await readAll(log), "1:a 2:failure");
    await other.append([textOf("c"), terminal]);
    assert.equal(await rowsOf(at.url, "other"), "1:c 1:answer");
    assert.deepEqual([notes.states.length, notes.states.at(-1)], [2, "working"]);
  });

  it("refuses new turns while a commit is late, and makes the others wait", async () => {
    const notes = createNotes();
    await using at = await openLogs({ observer: notes.observer });
    const log = await created(at.logs, "owner", "id");
    const lock = await at.lock("SELECT * FROM fences FOR UPDATE");
    const appended = log.append([textOf("a"), terminal]);
    await untilRow(
      at.url,
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
      (count) => count > 0,
    );
    await at.storeClock.advance(2_000);
    await assert.rejects(at.logs.create(recordOf("owner", "new")), { code: "storage_unavailable" });
    assert.equal(log.headSeq, 0);
    await lock.release();
    await appended;
    assert.equal((await at.logs.create(recordOf("owner", "new"))).type, "created");
    assert.deepEqual([notes.states.length, notes.states.at(-1)], [2, "working"]);
  });

  it("leaves running turns to the next process, with every step in its place", async () => {
    const first = await openLogs();
    const answer = await first.logs.create(recordOf("owner", "id"));
    assert.ok(answer.type === "created");
    await answer.log.append([checkpoint]);
    await answer.log.append([textOf("a"), textOf("b")]);
    for (let count = 0; count < 2; count += 1) await answer.log.append([checkpoint]);
    await answer.log.append([textOf("c"), checkpoint]);
    await (await created(first.logs, "owner", "ended")).append([terminal]);
    const { url } = first;
    await first[Symbol.asyncDispose]();
    for (const added of ["d", "e"]) {
      await using next = await openLogs({ url });
      const [turn, ...others] = await next.logs.unfinished();
      assert.ok(turn !== undefined && others.length === 0);
      assert.deepEqual(turn.record, recordOf("owner", "id"));
      const steps = [checkpoint, textOf("a"), textOf("b"), checkpoint, checkpoint, textOf("c"), checkpoint];
      assert.deepEqual(turn.steps.slice(0, 7), steps);
      await turn.log.append([checkpoint]);
      await turn.log.append([textOf(added)]);
      assert.deepEqual(await next.logs.unfinished(), []);
    }
    await using last = await openLogs({ url });
    const [turn] = await last.logs.unfinished();
    assert.ok(turn !== undefined);
    await turn.log.append([terminal]);
    assert.equal(await readAll(turn.log), "1:a 2:b 3:c 4:d 5:e 6:answer");
  });

  it("ends a turn that cannot be read, after the numbers that were shown, and reads all others", async () => {
    const first = await openLogs();
    const logs = [await created(first.logs, "owner", "whole"), await created(first.logs, "owner", "cut")];
    for (const log of logs) for (const text of ["a", "b"]) await log.append([textOf(text), textOf("and")]);
    const { url } = first;
    await first[Symbol.asyncDispose]();
    await runOn(
      url,
      `UPDATE events SET steps = '[1, 2]' WHERE first_seq = 3 AND turn = (SELECT number FROM turns WHERE id = 'cut')`,
    );
    const notes = createNotes();
    await using next = await openLogs({ url, observer: notes.observer });
    const [whole, cut] = await next.logs.unfinished();
    assert.deepEqual([whole?.log.headSeq, cut?.log.headSeq, notes.faults.length], [4, 4, 1]);
    await cut?.log.append([failure]);
    assert.equal((await next.logs.find("owner", "cut"))?.log.headSeq, 5);
  });
});
