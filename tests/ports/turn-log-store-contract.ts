import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../src/ports/clock.ts";
import { followLog } from "../../src/ports/follow-log.ts";
import type { TurnLog, TurnLogStore, TurnRecord } from "../../src/ports/turn-log.ts";
import { createTestClock } from "../support/test-clock.ts";
import { followed, terminal, textOf } from "./log-reading.ts";

export interface LogStoreUnderTest extends AsyncDisposable {
  readonly store: TurnLogStore;
}

/** Creates the log of a new turn. */
export async function created(store: TurnLogStore, owner: string, id: string): Promise<TurnLog> {
  const answer = await store.create(recordOf(owner, id));
  assert.ok(answer.type === "created", `${answer.type} instead of created`);
  return answer.log;
}

export function recordOf(owner: string, id: string, contentHash = "hash"): TurnRecord {
  return { owner, id, contentHash };
}

/** The contract of `TurnLogStore`, for every adapter to run. `retentionMs` is how long ended logs must be kept. */
export function describeTurnLogStore(
  name: string,
  create: (options: { clock: Clock; retentionMs: number }) => Promise<LogStoreUnderTest>,
): void {
  const open = async (retentionMs = 60_000) => {
    const clock = createTestClock();
    const under = await create({ clock, retentionMs });
    return { clock, store: under.store, [Symbol.asyncDispose]: () => under[Symbol.asyncDispose]() };
  };

  describe(`${name} as the store of logs`, () => {
    it("makes a log and finds it again, with its record", async () => {
      await using under = await open();
      const log = await created(under.store, "owner", "id-1");
      await log.append([textOf("a")]);
      const found = await under.store.find("owner", "id-1");
      assert.deepEqual(found?.record, recordOf("owner", "id-1"));
      assert.equal(found?.log.headSeq, 1);
      await log.append([terminal]);
      assert.ok(found !== undefined);
      const follower = followed(found.log, 0);
      await follower.ended;
      assert.equal(follower.read(), "1:a 2:answer");
    });

    it("answers with the kept turn if the id is taken, running or ended, with any content", async () => {
      await using under = await open();
      const log = await created(under.store, "owner", "id-1");
      for (const events of [[textOf("a")], [terminal]]) {
        await log.append(events);
        const again = await under.store.create(recordOf("owner", "id-1", "another hash"));
        assert.ok(again.type === "exists");
        assert.equal(again.turn.record.contentHash, "hash");
        assert.equal(again.turn.log.headSeq, log.headSeq);
      }
    });

    it("gives one of two simultaneous creators the log, and the other the turn", async () => {
      await using under = await open();
      const answers = await Promise.all([
        under.store.create(recordOf("owner", "id-1")),
        under.store.create(recordOf("owner", "id-1")),
      ]);
      assert.deepEqual(answers.map(({ type }) => type).sort(), ["created", "exists"]);
    });

    it("lets a turn that repeats an ended one take its place, with numbers that go on after it", async () => {
      await using under = await open();
      const { store } = under;
      const first = await created(store, "owner", "id-1");
      await first.append([textOf("void"), textOf("void"), terminal]);
      const before = followLog(first, { after: 0 });
      for (const afterSeq of [2, 4]) {
        const answer = await store.create({ ...recordOf("owner", "id-1"), afterSeq });
        assert.equal(answer.type, "exists", `after ${afterSeq}`);
      }
      const record = { ...recordOf("owner", "id-1"), afterSeq: 3 };
      const [one, other] = await Promise.all([store.create(record), store.create(record)]);
      assert.deepEqual([one?.type, other?.type].sort(), ["created", "exists"]);
      const answer = one?.type === "created" ? one : other;
      assert.ok(answer?.type === "created");
      assert.deepEqual([answer.log.headSeq, answer.log.ended], [3, false]);
      await answer.log.append([textOf("new"), terminal]);
      const found = await store.find("owner", "id-1");
      assert.ok(found !== undefined);
      assert.deepEqual([found.record, found.log.headSeq], [record, 5]);
      for (const [after, read] of [
        [0, "trimmed-3 4:new 5:answer"],
        [2, "trimmed-3 4:new 5:answer"],
        [3, "4:new 5:answer"],
        [4, "5:answer"],
      ] as const) {
        const follower = followed(found.log, after);
        await follower.ended;
        assert.equal(follower.read(), read, `after ${after}`);
      }
      assert.equal((await before.next()).value?.type, "events");
      assert.equal((await store.create(record)).type, "exists");
    });

    it("starts after the number that a repeated turn names, even if it no longer knows that turn", async () => {
      await using under = await open();
      const answer = await under.store.create({ ...recordOf("owner", "id-1"), afterSeq: 7 });
      assert.ok(answer.type === "created");
      await answer.log.append([textOf("new"), terminal]);
      const found = await under.store.find("owner", "id-1");
      assert.ok(found !== undefined);
      const follower = followed(found.log, 7);
      await follower.ended;
      assert.equal(follower.read(), "8:new 9:answer");
    });

    it("keeps owners apart: another's turn answers exactly like one that does not exist", async () => {
      await using under = await open();
      const log = await created(under.store, "owner", "id-1");
      await log.append([textOf("secret")]);
      assert.equal(await under.store.find("other", "id-1"), undefined);
      assert.equal(await under.store.find("owner", "id-2"), undefined);
      const own = await created(under.store, "other", "id-1");
      assert.equal(own.headSeq, 0);
      await own.append([textOf("own")]);
      assert.equal((await under.store.find("owner", "id-1"))?.log.headSeq, 1);
    });

    it("keeps an ended log for its time and not longer", async () => {
      await using under = await open(60_000);
      const { clock, store } = under;
      const log = await created(store, "owner", "id-1");
      await clock.advance(600_000);
      await log.append([terminal]);
      await clock.advance(59_999);
      assert.ok((await store.find("owner", "id-1")) !== undefined);
      await clock.advance(2);
      assert.equal(await store.find("owner", "id-1"), undefined);
      assert.equal((await created(store, "owner", "id-1")).headSeq, 0);
    });

    it("keeps a running log however long it runs", async () => {
      await using under = await open(1_000);
      const running = await created(under.store, "owner", "running");
      const ended = await created(under.store, "owner", "ended");
      await ended.append([terminal]);
      await under.clock.advance(3_600_000);
      assert.equal(await under.store.find("owner", "ended"), undefined);
      assert.ok((await under.store.find("owner", "running")) !== undefined);
      await running.append([terminal]);
      assert.equal((await under.store.find("owner", "running"))?.log.ended, true);
    });

    it("forgets a conversation's ended turns of their owner, and nothing else", async () => {
      await using under = await open();
      const { store } = under;
      const begin = async (owner: string, id: string, conversationId: string, transient = false) => {
        const answer = await store.create({ ...recordOf(owner, id), conversationId, transient });
        assert.ok(answer.type === "created");
        await answer.log.append([textOf("a")]);
        return answer.log;
      };
      const logs = {
        first: await begin("owner", "first", "c-1"),
        second: await begin("owner", "second", "c-1"),
        unstored: await begin("owner", "unstored", "c-1", true),
        elsewhere: await begin("owner", "elsewhere", "c-2"),
        other: await begin("other", "first", "c-1"),
      };
      for (const log of Object.values(logs)) await log.append([terminal]);
      const running = await begin("owner", "running", "c-1");
      const follower = followLog(logs.first, { after: 1 });
      await store.forget("nobody", "c-1");
      await store.forget("owner", "c-3");
      assert.ok((await store.find("owner", "first")) !== undefined);
      await store.forget("owner", "c-1");
      for (const id of ["first", "second", "unstored"])
        assert.equal(await store.find("owner", id), undefined, id);
      assert.ok((await store.find("owner", "elsewhere")) !== undefined);
      assert.ok((await store.find("other", "first")) !== undefined);
      const { value } = await follower[Symbol.asyncIterator]().next();
      assert.equal(value?.type, "events");
      await running.append([terminal]);
      assert.equal((await store.find("owner", "running"))?.log.headSeq, 2);
      assert.equal((await created(store, "owner", "first")).headSeq, 0);
      await store.forget("owner", "c-1");
      assert.equal(await store.find("owner", "running"), undefined);
    });

    it("lets the followers of a log that is no longer kept read it to its end", async () => {
      await using under = await open(1_000);
      const log = await created(under.store, "owner", "id-1");
      await log.append([textOf("a"), textOf("b"), terminal]);
      const iterator = followLog(log, { after: 1 });
      await under.clock.advance(5_000);
      assert.equal(await under.store.find("owner", "id-1"), undefined);
      const { value } = await iterator.next();
      assert.equal(value?.type === "events" && value.events.length, 2);
    });
  });
}
