import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { followLog } from "../../src/ports/follow-log.ts";
import type { TurnLog } from "../../src/ports/turn-log.ts";
import { checkpoint, followed, terminal, textOf } from "./log-reading.ts";

/** A new, empty log. */
export interface LogUnderTest extends AsyncDisposable {
  readonly log: TurnLog;
}

const letters = [..."abcdefghij"];
const whole = "1:a 2:b 3:c 4:d 5:e 6:f 7:g 8:h 9:i 10:j 11:answer";

/** The contract of `TurnLog`, for every adapter to run. */
export function describeTurnLog(name: string, create: () => Promise<LogUnderTest>): void {
  describe(`${name} as a turn's log`, () => {
    it("numbers events and no checkpoints from 1 over all appends, and knows its head", async () => {
      await using under = await create();
      const { log } = under;
      assert.deepEqual([log.headSeq, log.ended], [0, false]);
      await log.append([textOf("a"), textOf("b")]);
      assert.equal(log.headSeq, 2);
      await log.append([]);
      await log.append([checkpoint]);
      await log.append([textOf("c"), checkpoint, terminal]);
      assert.deepEqual([log.headSeq, log.ended], [4, true]);
      const follower = followed(log, 0);
      await follower.ended;
      assert.equal(follower.read(), "1:a 2:b 3:c 4:answer");
    });

    it("yields everything after any position, once and in order, and ends", async () => {
      await using under = await create();
      await under.log.append([...letters.map((letter) => textOf(letter)), terminal]);
      const expected = whole.split(" ");
      for (let after = 0; after <= 11; after += 1) {
        const follower = followed(under.log, after);
        await follower.ended;
        assert.equal(follower.read(), expected.slice(after).join(" "));
      }
    });

    it("gives events as they were appended", async () => {
      await using under = await create();
      const events = [textOf("naïve 😀\u2028 \u0000\u001a\u001e \ud800", "ada"), terminal];
      await under.log.append(events);
      const { batches, ended } = followed(under.log, 0);
      await ended;
      assert.deepEqual(
        batches.flatMap((batch) => (batch.type === "events" ? batch.events : [])),
        events.map((event, index) => ({ seq: index + 1, event })),
      );
    });

    it("lets any number follow while it grows, each from its own position", async () => {
      await using under = await create();
      const followers = [0, 3, 3, 10].map((after) => ({ after, following: followed(under.log, after) }));
      for (const letter of letters) {
        await under.log.append([textOf(letter)]);
        followers.push({ after: 0, following: followed(under.log, 0) });
        await nextLoopTurn();
      }
      await under.log.append([terminal]);
      for (const { after, following } of followers) {
        await following.ended;
        assert.equal(following.read(), whole.split(" ").slice(after).join(" "));
      }
    });

    it("gives appended events to a waiting follower at once", async () => {
      await using under = await create();
      const follow = followLog(under.log, { after: 0 });
      const first = follow[Symbol.asyncIterator]().next();
      await under.log.append([textOf("a")]);
      assert.deepEqual((await first).value, { type: "events", events: [{ seq: 1, event: textOf("a") }] });
    });

    it("wakes a waiting reader once, and no closed one", async () => {
      await using under = await create();
      const { log } = under;
      let wakes = 0;
      const woken = Promise.withResolvers<void>();
      const reader = log.open(0, () => {
        wakes += 1;
        woken.resolve();
      });
      const closed = log.open(0, () => assert.fail("It was closed."));
      assert.deepEqual([reader.take(), closed.take(), wakes], [undefined, undefined, 0]);
      closed.close();
      await log.append([textOf("a")]);
      await woken.promise;
      await log.append([textOf("b"), terminal]);
      await nextLoopTurn();
      assert.deepEqual([wakes, reader.isOver], [1, false]);
      const taken: number[] = [];
      while (!reader.isOver) {
        const batch = reader.take();
        if (batch?.type === "events") taken.push(...batch.events.map(({ seq }) => seq));
        else await nextLoopTurn();
      }
      assert.deepEqual(taken, [1, 2, 3]);
      assert.equal(reader.take(), undefined);
      reader.close();
    });

    it("gives a late follower more at a time, and never the same object to change", async () => {
      await using under = await create();
      const iterator = followLog(under.log, { after: 0 });
      await under.log.append([textOf("a")]);
      await iterator.next();
      for (const letter of ["b", "c", "d"]) await under.log.append([textOf(letter)]);
      const { value } = await iterator.next();
      assert.equal(value?.type === "events" && value.events.length, 3);
      await under.log.append([textOf("e")]);
      assert.equal(value?.type === "events" && value.events.length, 3);
    });

    it("stops a follower whose signal aborts, whether it waits or not", async () => {
      await using under = await create();
      const waiting = followed(under.log, 0);
      await nextLoopTurn();
      waiting.stop();
      await waiting.ended;
      await under.log.append([textOf("a")]);
      assert.equal(waiting.read(), "");
      const aborted = followed(under.log, 0);
      aborted.stop();
      await aborted.ended;
      const signal = AbortSignal.abort();
      assert.equal((await followLog(under.log, { after: 0, signal }).next()).done, true);
    });

    it("does not mind a follower that leaves", async () => {
      await using under = await create();
      await under.log.append([textOf("a"), textOf("b")]);
      for await (const batch of followLog(under.log, { after: 0 })) {
        assert.equal(batch.type, "events");
        break;
      }
      await under.log.append([terminal]);
      const other = followed(under.log, 0);
      await other.ended;
      assert.equal(other.read(), "1:a 2:b 3:answer");
    });

    it("refuses events after the terminal event, and keeps none of them", async () => {
      await using under = await create();
      await under.log.append([textOf("a")]);
      const follower = followed(under.log, 0);
      await assert.rejects(under.log.append([textOf("b"), terminal, textOf("c")]));
      assert.deepEqual([under.log.headSeq, under.log.ended], [1, false]);
      await under.log.append([terminal]);
      await assert.rejects(under.log.append([textOf("d")]));
      await assert.rejects(under.log.append([terminal]));
      assert.equal(under.log.headSeq, 2);
      await follower.ended;
      assert.equal(follower.read(), "1:a 2:answer");
    });

    it("ends a follower at the end, wherever it stands", async () => {
      await using under = await create();
      const follower = followed(under.log, 0);
      await under.log.append([terminal]);
      await follower.ended;
      assert.equal(follower.read(), "1:answer");
      const atHead = followed(under.log, 1);
      await atHead.ended;
      assert.deepEqual(atHead.batches, []);
    });

    it("gives thousands of events to a late follower", async () => {
      await using under = await create();
      const count = 5_000;
      for (let index = 0; index < count; index += 100)
        await under.log.append(Array.from({ length: 100 }, (_, place) => textOf(`${index + place}`)));
      await under.log.append([terminal]);
      const follower = followed(under.log, 0);
      await follower.ended;
      const events = follower.batches.flatMap((batch) => (batch.type === "events" ? batch.events : []));
      for (const batch of follower.batches) assert.ok(batch.type === "events" && batch.events.length <= 256);
      assert.deepEqual(
        events.map(({ seq }) => seq),
        Array.from({ length: count + 1 }, (_, index) => index + 1),
      );
      assert.deepEqual(events[4_321]?.event, textOf("4321"));
    });
  });
}

/** The contract of a log that its process leaves to the next one. */
export function describeLeaving(name: string, create: () => Promise<LogUnderTest>): void {
  describe(`${name} as a turn's log that is left`, () => {
    it("gives present and later followers the existing events and no end", async () => {
      await using under = await create();
      const { log } = under;
      await log.append(letters.slice(0, 3).map((letter) => textOf(letter)));
      const waiting = followed(log, 0);
      await nextLoopTurn();
      log.leave();
      await waiting.ended;
      assert.equal(waiting.read(), "1:a 2:b 3:c");
      const late = followed(log, 2);
      await late.ended;
      assert.equal(late.read(), "3:c");
      assert.equal(log.ended, false);
    });
  });
}

/** The part of the contract for adapters that drop the events of ended logs. */
export function describeTrimming(
  name: string,
  create: () => Promise<LogUnderTest & { trim(): Promise<void> }>,
): void {
  describe(`${name} as a turn's log that is trimmed`, () => {
    it("answers with the lanes' texts in place of dropped events, and with the later events after them", async () => {
      await using under = await create();
      const { log } = under;
      await log.append([textOf("Hel", "ada"), textOf("Wor", "bob"), { type: "reasoning", text: "hm" }]);
      await log.append([textOf("lo", "ada"), textOf("ld", "bob"), textOf("all"), terminal]);
      await under.trim();
      for (const after of [0, 3, 5]) {
        const { batches, ended } = followed(log, after);
        await ended;
        const [trimmed, rest, ...none] = batches;
        assert.ok(trimmed?.type === "trimmed");
        assert.equal(trimmed.throughSeq, 6);
        assert.deepEqual(
          new Map(trimmed.lanes.map(({ lane, text }) => [lane, text])),
          new Map([
            ["ada", "Hello"],
            ["bob", "World"],
            [undefined, "all"],
          ]),
        );
        assert.deepEqual([rest, none], [{ type: "events", events: [{ seq: 7, event: terminal }] }, []]);
      }
      const behind = followed(log, 6);
      await behind.ended;
      assert.equal(behind.read(), "7:answer");
      assert.deepEqual([log.headSeq, log.ended], [7, true]);
    });

    it("tells a follower that was in the middle when its events were dropped", async () => {
      await using under = await create();
      await under.log.append(Array.from({ length: 2_000 }, () => textOf("x")));
      const iterator = followLog(under.log, { after: 0 });
      const { value: first } = await iterator.next();
      assert.equal(first?.type, "events");
      await under.log.append([terminal]);
      const seen = first?.type === "events" ? first.events.length : 0;
      assert.ok(seen < 2_000);
      await under.trim();
      const { value: trimmed } = await iterator.next();
      assert.deepEqual(trimmed, { type: "trimmed", throughSeq: 2_000, lanes: [{ text: "x".repeat(2_000) }] });
      const { value: rest } = await iterator.next();
      assert.deepEqual(rest, { type: "events", events: [{ seq: 2_001, event: terminal }] });
      assert.equal((await iterator.next()).done, true);
    });
  });
}
