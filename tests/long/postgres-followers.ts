import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { PostgresStore } from "../../src/adapters/postgres/postgres-store.ts";
import { createPostgresTurnLogs } from "../../src/adapters/postgres/postgres-turn-logs.ts";
import { openServedTime } from "../../src/adapters/postgres/served-time.ts";
import type { TurnEvent } from "../../src/ports/turn-event.ts";
import type { KeptTurn } from "../../src/ports/turn-log.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { checkpoint, followed, terminal, textOf } from "../ports/log-reading.ts";
import { fullResumables } from "../ports/stored-samples.ts";
import { created, recordOf } from "../ports/turn-log-store-contract.ts";
import { createNotes } from "./postgres/noted-faults.ts";
import { openLogs, openStore, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

const texts = (from: number, to: number): TurnEvent[] =>
  Array.from({ length: to - from + 1 }, (_, index) => textOf(`${from + index}`));
const read = (from: number, to: number) =>
  texts(from, to)
    .map((event) => (event.type === "text" ? `${event.text}:${event.text}` : ""))
    .join(" ");

/** Two nodes on one database. */
async function openTwo() {
  await using opening = new AsyncDisposableStack();
  const first = opening.use(await openLogs());
  const notes = createNotes();
  const second = opening.use(await openLogs({ url: first.url, observer: notes.observer }));
  const opened = opening.move();
  return { first, second, notes, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function foundAt({ logs }: { logs: Awaited<ReturnType<typeof openLogs>>["logs"] }): Promise<KeptTurn> {
  const turn = await logs.find("owner", "id");
  assert.ok(turn !== undefined);
  return turn;
}

/** Waits until a follower has read this much. */
async function untilRead(follower: ReturnType<typeof followed>, text: string): Promise<void> {
  while (follower.read() !== text) await nextLoopTurn();
}

describe("several nodes on one PostgreSQL", withPostgres, () => {
  after(stopShared);

  describe("followers at another node", () => {
    it("get every event once and in order, from any place in a row, to the end", async () => {
      await using at = await openTwo();
      const log = await created(at.first.logs, "owner", "id");
      await log.append([checkpoint]);
      await log.append(texts(1, 5));
      await log.append([checkpoint]);
      await log.append([...texts(6, 10), checkpoint]);
      await log.append(texts(11, 11));
      const { log: elsewhere, record } = await foundAt(at.second);
      assert.deepEqual(record, recordOf("owner", "id"));
      assert.deepEqual([elsewhere.headSeq, elsewhere.ended], [11, false]);
      const followers = Array.from({ length: 12 }, (_, position) => followed(elsewhere, position));
      for (const [position, follower] of followers.entries())
        await untilRead(follower, read(position + 1, 11));
      await log.append(texts(12, 700));
      for (const [position, follower] of followers.entries())
        await untilRead(follower, read(position + 1, 700));
      await log.append([terminal]);
      for (const [position, follower] of followers.entries()) {
        await follower.ended;
        assert.equal(follower.read(), `${read(position + 1, 700)} 701:answer`);
      }
      assert.deepEqual(at.notes.faults, []);
    });

    it("read only what they take", async () => {
      await using at = await openTwo();
      const log = await created(at.first.logs, "owner", "id");
      for (let seq = 1; seq <= 300; seq += 1) await log.append(texts(seq, seq));
      const { log: elsewhere } = await foundAt(at.second);
      let wakes = 0;
      const reader = elsewhere.open(0, () => {
        wakes += 1;
      });
      assert.equal(reader.take(), undefined);
      while (wakes === 0) await nextLoopTurn();
      const batch = reader.take();
      assert.ok(batch?.type === "events" && batch.events.length < 256);
      reader.close();
    });

    it("find the turn ended, with its whole log or, later, with its answer", async () => {
      await using at = await openTwo();
      const log = await created(at.first.logs, "owner", "id");
      await log.append(texts(1, 3));
      const { log: elsewhere } = await foundAt(at.second);
      await log.append([...texts(4, 4), terminal]);
      const follower = followed(elsewhere, 2);
      await follower.ended;
      assert.equal(follower.read(), "3:3 4:4 5:answer");
      assert.equal((await foundAt(at.second)).log.ended, true);
      await runOn(at.first.url, "DELETE FROM events");
      await runOn(at.first.url, "UPDATE turns SET has_log = false");
      const late = followed(elsewhere, 2);
      await late.ended;
      assert.equal(late.read(), "trimmed-4 5:answer");
      await runOn(at.first.url, "DELETE FROM turns");
      const tooLate = followed(elsewhere, 2);
      await tooLate.ended;
      assert.equal(tooLate.read(), "");
    });

    it("read the answer of an ended turn again until the database gives it", async () => {
      await using first = await openLogs();
      await using second = await openStore({ url: first.url });
      let refused = 0;
      // No row is read until the turn has ended and has only its answer left.
      const [held, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      let isHeld = false;
      const store: PostgresStore = {
        ...second.store,
        query(owner, statement, values) {
          if (statement.name !== "endedTurn" || refused === 3)
            return second.store.query(owner, statement, values);
          refused += 1;
          return Promise.reject(new TroupeError("storage_unavailable"));
        },
        async queryInTurn(owner, statement, values) {
          if (isHeld) held.resolve();
          if (isHeld) await opened.promise;
          return second.store.queryInTurn(owner, statement, values);
        },
      };
      const served = await openServedTime(store, second.clock);
      const ages = { retentionMs: 60_000, answerRetentionMs: 60_000, maxBytes: 1_000_000 };
      const logs = createPostgresTurnLogs({ store, served, clock: second.clock, ...ages });
      const log = await created(first.logs, "owner", "id");
      await log.append(texts(1, 1));
      const { log: elsewhere } = await foundAt({ logs });
      const follower = followed(elsewhere, 0);
      await untilRead(follower, "1:1");
      isHeld = true;
      await held.promise;
      await log.append([...texts(2, 2), terminal]);
      await runOn(first.url, "DELETE FROM events");
      await runOn(first.url, "UPDATE turns SET has_log = false");
      opened.resolve();
      await follower.ended;
      assert.equal(refused, 3);
      assert.equal(follower.read(), "1:1 trimmed-2 3:answer");
    });

    it("go on after the turn's node is gone and another one has claimed it", async () => {
      const first = await openLogs();
      await using second = await openLogs({ url: first.url });
      await using third = await openLogs({ url: first.url });
      const log = await created(first.logs, "owner", "id");
      await log.append(texts(1, 3));
      const follower = followed((await foundAt(third)).log, 0);
      await untilRead(follower, read(1, 3));
      assert.deepEqual(await second.logs.unfinished(), []);
      log.leave();
      await first[Symbol.asyncDispose]();
      const [turn, ...others] = await second.logs.unfinished();
      assert.ok(turn !== undefined && others.length === 0);
      assert.deepEqual(await third.logs.unfinished(), []);
      await turn.log.append([...texts(4, 5), terminal]);
      await follower.ended;
      assert.equal(follower.read(), `${read(1, 5)} 6:answer`);
    });
  });

  describe("a turn that is asked for at two nodes", () => {
    it("begins at one of them, and the other one follows it", async () => {
      await using at = await openTwo();
      for (let count = 0; count < 20; count += 1) {
        const record = recordOf("owner", `id ${count}`);
        const both = await Promise.all([at.first.logs.create(record), at.second.logs.create(record)]);
        assert.deepEqual(both.map(({ type }) => type).sort(), ["created", "exists"]);
        const [one, other] = both;
        const log = one.type === "created" ? one.log : other.type === "created" ? other.log : undefined;
        const kept = one.type === "exists" ? one.turn : other.type === "exists" ? other.turn : undefined;
        assert.ok(log !== undefined && kept !== undefined);
        const follower = followed(kept.log, 0);
        await log.append([textOf("a"), terminal]);
        await follower.ended;
        assert.equal(follower.read(), "1:a 2:answer");
      }
    });

    it("begins again at one of them after an error, and neither gives the old end any more", async () => {
      await using at = await openTwo();
      const log = await created(at.first.logs, "owner", "id");
      await log.append([textOf("a"), { type: "failure", error: new TroupeError("interrupted") }]);
      const again = { ...recordOf("owner", "id"), afterSeq: 2 };
      const repeated = await at.second.logs.create(again);
      assert.ok(repeated.type === "created");
      await repeated.log.append([textOf("b")]);
      const elsewhere = (await foundAt(at.first)).log;
      assert.deepEqual([elsewhere.headSeq, elsewhere.ended], [3, false]);
      const follower = followed(elsewhere, 2);
      await repeated.log.append([terminal]);
      await follower.ended;
      assert.equal(follower.read(), "3:b 4:answer");
    });
  });

  describe("the takeover of a node that stands still", () => {
    /** As `take-over.ts` does it. */
    const fence = (url: string, incarnation: number) =>
      runOn(url, "DELETE FROM fences WHERE incarnation = $1", [incarnation]);

    it("leaves its readers with the events of before, and tells them no end", async () => {
      await using at = await openTwo();
      const log = await created(at.second.logs, "owner", "id");
      await log.append(texts(1, 2));
      const follower = followed(log, 0);
      await fence(at.first.url, at.second.store.incarnation);
      const [turn] = await at.first.logs.unfinished();
      assert.ok(turn !== undefined);
      await turn.log.append([textOf("theirs"), terminal]);
      await assert.rejects(log.append([textOf("ours")]));
      await assert.rejects(log.append([{ type: "failure", error: new TroupeError("turn_timeout") }]));
      assert.equal(at.second.store.lost.aborted, true);
      await follower.ended;
      assert.equal(follower.read(), read(1, 2));
      const replay = followed((await foundAt(at.first)).log, 0);
      await replay.ended;
      assert.equal(replay.read(), `${read(1, 2)} 3:theirs 4:answer`);
    });

    it("is learnt by a commit before anything else is done outside", async () => {
      await using at = await openTwo();
      const log = await created(at.second.logs, "owner", "id");
      await log.confirm?.();
      await fence(at.first.url, at.second.store.incarnation);
      let wasLost: boolean | undefined;
      await assert.rejects(async () => {
        try {
          await log.confirm?.();
        } finally {
          wasLost = at.second.store.lost.aborted;
        }
      });
      assert.equal(wasLost, true);
    });

    it("gives each turn to one taker, and a conversation's turns to the same one, in their order", async () => {
      await using at = await openTwo();
      const { url } = at.first;
      const gone = await openLogs({ url });
      for (let number = 1; number <= 120; number += 1) {
        const conversationId = `conversation ${number % 40}`;
        await gone.logs.create({ ...recordOf("owner", `id ${number}`), conversationId });
      }
      await fence(url, gone.store.incarnation);
      const claimed = await Promise.all([at.first.logs.unfinished(), at.second.logs.unfinished()]);
      const conversations = claimed.map((turns) => new Set(turns.map(({ record }) => record.conversationId)));
      assert.equal(claimed.flat().length, 120);
      assert.equal(new Set(claimed.flat().map(({ record }) => record.id)).size, 120);
      for (const conversation of conversations[0] ?? [])
        assert.equal(conversations[1]?.has(conversation), false);
      await gone[Symbol.asyncDispose]();
    });

    it("finds a turn again if the answer to its claim was lost", async () => {
      await using at = await openTwo();
      const gone = await openLogs({ url: at.first.url });
      await created(gone.logs, "owner", "id");
      await runOn(at.first.url, "UPDATE turns SET node = $1", [at.first.store.incarnation]);
      assert.equal((await at.first.logs.unfinished()).length, 1);
      assert.deepEqual(await at.first.logs.unfinished(), []);
      await gone[Symbol.asyncDispose]();
    });

    it("runs a turn no more that three nodes in a row have died of", async () => {
      const first = await openLogs();
      const { url } = first;
      const [request] = fullResumables;
      const begun = await first.logs.create(recordOf("owner", "id"), { request });
      assert.ok(begun.type === "created");
      await begun.log.append([textOf("a")]);
      const nodes = [first];
      const mayRun: boolean[] = [];
      for (let count = 0; count < 5; count += 1) {
        await fence(url, nodes.at(-1)?.store.incarnation ?? 0);
        const node = await openLogs({ url, observer: createNotes().observer });
        nodes.push(node);
        const [turn] = await node.logs.unfinished();
        mayRun.push(turn?.request !== undefined);
        // An event shows that the turn does not kill its nodes.
        if (count === 0) await turn?.log.append([textOf("b")]);
      }
      assert.deepEqual(mayRun, [true, true, true, true, false]);
      for (const node of nodes) await node[Symbol.asyncDispose]();
    });
  });
});
