import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMemoryConversations } from "../../../src/adapters/memory/memory-conversations.ts";
import { createMemoryTurnLogs } from "../../../src/adapters/turn-log/memory-turn-logs.ts";
import type { TurnLogStore } from "../../../src/ports/turn-log.ts";
import { followed, terminal, textOf } from "../../ports/log-reading.ts";
import { created, describeTurnLogStore, recordOf } from "../../ports/turn-log-store-contract.ts";
import { describeTurnQuestions } from "../../ports/turn-question-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";

describeTurnLogStore("memory", async ({ clock, retentionMs }) => ({
  store: createMemoryTurnLogs({ clock, retentionMs, maxBytes: 1_000_000 }),
  [Symbol.asyncDispose]: async () => undefined,
}));

describeTurnQuestions("memory", async () => {
  const clock = createTestClock();
  const questions = createMemoryConversations({ clock, maxBytes: 10_000_000 });
  return {
    logs: createMemoryTurnLogs({ clock, retentionMs: 60_000, maxBytes: 1_000_000, questions }),
    conversations: questions,
    [Symbol.asyncDispose]: async () => undefined,
  };
});

const newStore = (maxBytes: number) =>
  createMemoryTurnLogs({ clock: createTestClock(), retentionMs: 60_000, maxBytes });

/** A turn that said `chars` characters, one event each. */
async function ended(store: TurnLogStore, id: string, chars: number): Promise<void> {
  const log = await created(store, "owner", id);
  await log.append([...Array.from({ length: chars }, () => textOf("x")), terminal]);
}

async function howKept(store: TurnLogStore, id: string): Promise<"whole" | "text" | "gone"> {
  const kept = await store.find("owner", id);
  if (kept === undefined) return "gone";
  const follower = followed(kept.log, 0);
  await follower.ended;
  return follower.batches[0]?.type === "trimmed" ? "text" : "whole";
}

const howAllKept = (store: TurnLogStore, ids: readonly string[]) =>
  Promise.all(ids.map((id) => howKept(store, id)));

describe("the memory of all logs", () => {
  it("gives up the events of ended turns first, oldest first, and keeps their text", async () => {
    // A character takes 122 bytes here as an event, and 2 bytes as text.
    const store = newStore(45_000);
    for (const id of ["a", "b", "c", "d"]) await ended(store, id, 100);
    assert.ok(store.bytes > 45_000);
    assert.deepEqual(await howAllKept(store, ["a", "b", "c", "d"]), ["whole", "whole", "whole", "whole"]);
    await created(store, "owner", "next");
    assert.deepEqual(await howAllKept(store, ["a", "b", "c", "d"]), ["text", "whole", "whole", "whole"]);
    assert.ok(store.bytes <= 45_000);
  });

  it("goes by the end of a turn, not by its start", async () => {
    const store = newStore(30_000);
    const early = await created(store, "owner", "early");
    await early.append(Array.from({ length: 100 }, () => textOf("x")));
    await ended(store, "late", 100);
    await early.append([terminal]);
    await ended(store, "last", 100);
    await created(store, "owner", "next");
    assert.deepEqual(await howAllKept(store, ["early", "late", "last"]), ["whole", "text", "whole"]);
  });

  it("gives up whole turns only when all events are gone", async () => {
    const store = newStore(2_500);
    for (const id of ["a", "b", "c"]) await ended(store, id, 300);
    await created(store, "owner", "next");
    assert.deepEqual(await howAllKept(store, ["a", "b", "c"]), ["gone", "text", "text"]);
    assert.equal(store.count, 3);
    assert.ok(store.bytes <= 2_500);
    assert.equal((await created(store, "owner", "a")).headSeq, 0);
  });

  it("is full for a running turn only when nothing else can go, and only for one with more than its share", async () => {
    const store = newStore(10_000);
    await ended(store, "over", 50);
    const large = await created(store, "owner", "large");
    const small = await created(store, "owner", "small");
    await small.append([textOf("x")]);
    await large.append([textOf("x".repeat(4_500))]);
    assert.equal(large.isFull, false, "the ended one goes first");
    assert.equal(await howKept(store, "over"), "gone");
    await large.append([textOf("x".repeat(1_000))]);
    assert.deepEqual([large.isFull, small.isFull], [true, false]);
    await large.append([terminal]);
    assert.equal(large.ended, true);
    assert.equal(small.isFull, false);
  });

  it("never gives up a running turn: when only such are left there is no room", async () => {
    const store = newStore(10_000);
    await ended(store, "over", 1);
    const running = await created(store, "owner", "running");
    await running.append(Array.from({ length: 200 }, () => textOf("x")));
    assert.deepEqual(await store.create(recordOf("owner", "next")), { type: "full" });
    assert.equal((await store.find("owner", "running"))?.log.headSeq, 200);
    assert.deepEqual(await howAllKept(store, ["over", "next"]), ["gone", "gone"]);
    await running.append([terminal]);
    assert.equal((await store.create(recordOf("owner", "next"))).type, "created");
    assert.equal(await howKept(store, "running"), "text");
  });

  it("still answers with the kept turn when there is no room", async () => {
    const store = newStore(10_000);
    const running = await created(store, "owner", "running");
    await running.append(Array.from({ length: 200 }, () => textOf("x")));
    assert.equal((await store.create(recordOf("owner", "running"))).type, "exists");
  });

  it("counts down to nothing when its logs' time is over", async () => {
    const clock = createTestClock();
    const store = createMemoryTurnLogs({ clock, retentionMs: 1_000, maxBytes: 100_000 });
    for (const id of ["a", "b"]) await ended(store, id, 50);
    assert.equal(store.count, 2);
    await clock.advance(1_001);
    await store.find("owner", "a");
    assert.deepEqual([store.count, store.bytes], [0, 0]);
  });
});
