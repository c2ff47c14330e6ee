import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createPostgresConversations } from "../../src/adapters/postgres/postgres-conversations.ts";
import type { PostgresStore } from "../../src/adapters/postgres/postgres-store.ts";
import { createPostgresUsage } from "../../src/adapters/postgres/postgres-usage.ts";
import { retireRows } from "../../src/adapters/postgres/retire-rows.ts";
import type { Observer } from "../../src/ports/observer.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { followed, terminal, textOf } from "../ports/log-reading.ts";
import { created, recordOf } from "../ports/turn-log-store-contract.ts";
import { callOf, paid, used } from "../ports/usage-store-contract.ts";
import { createTestClock } from "../support/test-clock.ts";
import { createNotes } from "./postgres/noted-faults.ts";
import { openLogs, openStore, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

/** A store on which a statement fails, as while the database is away. */
function lacking(store: PostgresStore, name: string): PostgresStore {
  return {
    ...store,
    query: (owner, statement, values) =>
      statement.name === name
        ? Promise.reject(new TroupeError("storage_unavailable"))
        : store.query(owner, statement, values),
  };
}

describe("the retention in PostgreSQL", withPostgres, () => {
  after(stopShared);

  const ages = { retentionMs: 1_000, answerRetentionMs: 5_000 };

  /** Logs that are looked at again by other processes, and everything that is due done. */
  async function open(url?: string, observer?: Observer) {
    const clock = createTestClock();
    const given = { ...(url === undefined ? {} : { url }), ...(observer === undefined ? {} : { observer }) };
    const at = await openLogs({ ...ages, clock, ...given });
    return {
      ...at,
      clock,
      async retire(firstUsageDay = 0) {
        const rest = { store: at.store, served: at.served, firstUsageDay: async () => firstUsageDay };
        const retirement = retireRows({ ...ages, ...rest, clock });
        await at.store.query("", { name: "wait", text: "SELECT 1" });
        while ((await runOn(at.url, "SELECT value FROM counters"))[0]?.value !== String(at.served.now()))
          await at.store.query("", { name: "wait", text: "SELECT 1" });
        await retirement[Symbol.asyncDispose]();
      },
    };
  }

  const counts =
    "SELECT (SELECT count(*) FROM turns)::int AS turns, (SELECT count(*) FROM events)::int AS events";

  it("keeps a log for its time, then its answer, then nothing, and running turns for ever", async () => {
    await using at = await open();
    const log = await created(at.logs, "owner", "id");
    const running = await created(at.logs, "owner", "running");
    await running.append([textOf("a")]);
    await log.append([textOf("a"), textOf("b")]);
    await log.append([terminal]);
    await at.clock.advance(999);
    await at.retire();
    assert.deepEqual(await runOn(at.url, counts), [{ turns: 2, events: 3 }]);
    await at.clock.advance(1);
    await at.retire();
    assert.deepEqual(await runOn(at.url, counts), [{ turns: 2, events: 1 }]);
    const found = await at.logs.find("owner", "id");
    assert.ok(found !== undefined);
    const follower = followed(found.log, 0);
    await follower.ended;
    assert.equal(follower.read(), "trimmed-2 3:answer");
    await at.clock.advance(4_000);
    assert.equal(await at.logs.find("owner", "id"), undefined);
    assert.equal((await created(at.logs, "owner", "id")).headSeq, 0);
    await at.retire();
    assert.deepEqual(await runOn(at.url, counts), [{ turns: 2, events: 1 }]);
  });

  it("forgets the turns of a conversation whose deletion a crash cut off", async () => {
    await using at = await open();
    const { conversations, logs } = at;
    for (const conversationId of ["kept", "gone"]) {
      await conversations.create("owner", conversationId);
      for (const end of [[terminal], []]) {
        const id = `${conversationId} ${end.length}`;
        const answer = await logs.create({ ...recordOf("owner", id), conversationId });
        assert.ok(answer.type === "created");
        await answer.log.append([textOf("a"), ...end]);
      }
    }
    await conversations.remove("owner", "gone");
    await at.retire();
    const rows = await runOn(at.url, "SELECT id FROM turns ORDER BY id");
    assert.deepEqual(
      rows.map(({ id }) => id),
      ["gone 0", "kept 0", "kept 1"],
    );
  });

  it("erases a conversation that was removed while the database went away", async () => {
    const notes = createNotes();
    await using at = await open(undefined, notes.observer);
    const conversations = createPostgresConversations({ ...at, store: lacking(at.store, "eraseMessages") });
    await conversations.create("owner", "gone");
    const say = { role: "user", text: "a secret", status: "completed" } as const;
    await conversations.append("owner", "gone", undefined, [say]);
    const running = await at.logs.create({ ...recordOf("owner", "id"), conversationId: "gone" });
    assert.ok(running.type === "created");
    assert.equal(await conversations.remove("owner", "gone"), true);
    assert.equal(notes.faults.length, 1);

    const left =
      "SELECT (SELECT count(*) FROM messages)::int AS messages, (SELECT count(*) FROM conversations)::int AS rows";
    // Its remover of a moment ago may still be at work.
    await at.retire();
    assert.deepEqual(await runOn(at.url, left), [{ messages: 1, rows: 1 }]);
    await runOn(at.url, "UPDATE conversations SET removed_at = removed_at - interval '61 s'");
    await at.clock.advance(1);
    await at.retire();
    assert.deepEqual(await runOn(at.url, left), [{ messages: 0, rows: 1 }]);
    await running.log.append([terminal]);
    await at.clock.advance(1);
    await at.retire();
    assert.deepEqual(await runOn(at.url, left), [{ messages: 0, rows: 0 }]);
    assert.deepEqual(await runOn(at.url, counts), [{ turns: 0, events: 0 }]);
  });

  it("sums up old calls without changing the sums, ends the calls of dead processes, and takes up a day", async () => {
    const first = await open();
    const usage = createPostgresUsage({ store: first.store });
    for (const day of [98, 98, 99, 100]) {
      const call = callOf({ day });
      usage.begin(call);
      usage.end(call.id, { ...used(1, 2), outcome: "completed", day });
    }
    usage.begin(callOf({ id: "open", day: 98, requestId: "r", lane: "ada" }));
    for (const end of [paid(0.5), paid(0.25, { approximate: true })]) {
      const call = callOf({ day: 97, keyId: "key-2" });
      usage.begin(call);
      usage.end(call.id, { ...end, outcome: "completed", day: 97 });
    }
    const sums = await usage.sums("ada", 0, 1_000);
    assert.deepEqual(sums[0]?.cost, { usd: 0.75, approximate: true, unknownCalls: 0 });
    await first.retire(99);
    assert.deepEqual(await usage.sums("ada", 0, 1_000), sums);
    assert.deepEqual(await runOn(first.url, "SELECT count(*)::int AS calls FROM usage"), [{ calls: 3 }]);
    await first[Symbol.asyncDispose]();

    await using second = await openStore({ url: first.url });
    const next = createPostgresUsage({ store: second.store });
    const { spent, left } = await next.takeUp(98);
    const ofAll = { keyId: "key-1", api: "openai", model: "m", inputTokens: 16, outputTokens: 264 };
    // The calls of later days count for this one from now on, because the clock was set back.
    assert.deepEqual(spent, [{ ...ofAll, inputTokens: 14 }]);
    assert.deepEqual(
      left.map(({ requestId, lane, call, outputTokens }) => [requestId, lane, call, outputTokens]),
      [["r", "ada", 0, 256]],
    );
    next.begin(
      callOf({ day: 98, requestId: "r", lane: "ada", isBegun: true, inputTokens: 1, outputTokens: 1 }),
    );
    const [sum] = await next.sums("ada", 98, 98);
    assert.deepEqual([sum?.calls, sum?.inputTokens, sum?.outputTokens], [5, 5, 9]);
    const [earlier] = (await next.takeUp(97)).spent.filter(({ keyId }) => keyId === "key-2");
    assert.deepEqual([earlier?.inputTokens, earlier?.cost], [2, 0.75]);
  });
});
