import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TurnEvent } from "../../src/ports/turn-event.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { answerOf, answers, ask, byPersona, statuses, waits } from "./ask-personas.ts";
import { type ChatSetup, createChatSetup, end, type ProviderScript, say, sayThenWait } from "./chat-setup.ts";
import { personas } from "./personas.ts";

describe("a cancel of several personas", () => {
  const onceAllSpoke = (setup: ChatSetup, count: number, act: () => void) => {
    let spoke = 0;
    return (batch: readonly TurnEvent[]) => {
      spoke += batch.filter((event) => event.type === "status" && event.status === "streaming").length;
      if (spoke === count && !setup.context.signal.aborted) act();
    };
  };

  it("of one lane leaves the other lanes", async () => {
    const setup = createChatSetup(
      byPersona({
        Ada: answers("A."),
        Bob: waits("I sto"),
        Cleo: async function* ({ clock }) {
          await clock.sleep(900);
          yield [say("C."), end];
        },
      }),
    );
    const played = await ask(setup, {}, (batch) => {
      if (batch.some((event) => event.type === "text" && event.lane === "bob")) setup.cancel("bob");
    });
    assert.equal(played.result?.status, "completed");
    assert.deepEqual(statuses(played), ["completed", "cancelled", "completed"]);
    assert.equal(answerOf(played).outcome, "degraded");
    assert.equal(answerOf(played).finishReason, "stop");
    assert.equal(answerOf(played).cancel, undefined);
    assert.deepEqual(answerOf(played).answers[1]?.cancel, { upstreamClosed: true, closedInMs: 0 });
    assert.equal(answerOf(played).combined, "Ada:\nA.\n\nBob:\nI sto\n\nCleo:\nC.");
  });

  it("of every lane, one by one, is a cancel of the turn", async () => {
    const setup = createChatSetup(byPersona({ Ada: waits("a"), Bob: waits("b"), Cleo: waits("c") }));
    let cancelled = false;
    const played = await ask(
      setup,
      {},
      onceAllSpoke(setup, 3, () => {
        if (cancelled) return;
        cancelled = true;
        for (const { id } of personas) setup.cancel(id);
      }),
    );
    assert.equal(played.result?.status, "cancelled");
    assert.equal(answerOf(played).finishReason, "cancelled");
  });

  it("of the whole turn keeps completed answers and marks the rest", async () => {
    const setup = createChatSetup(
      byPersona({ Ada: answers("A."), Bob: waits("I sto"), Cleo: waits("I too") }),
    );
    const played = await ask(
      setup,
      {},
      onceAllSpoke(setup, 3, () => setup.cancel()),
    );
    assert.equal(played.result?.status, "cancelled");
    assert.deepEqual(statuses(played), ["completed", "cancelled", "cancelled"]);
    assert.equal(answerOf(played).finishReason, "cancelled");
    assert.deepEqual(answerOf(played).cancel, { upstreamClosed: true, closedInMs: 0 });
    assert.deepEqual(
      played.stored.map(({ text, status }) => [text, status]),
      [
        ["Well?", "completed"],
        ["A.", "completed"],
        ["I sto", "cancelled"],
        ["I too", "cancelled"],
      ],
    );
  });

  it("reports the lane that took longest, and one that is still open before all", async () => {
    const closing = (ms: number): ProviderScript =>
      async function* ({ signal, clock }) {
        try {
          yield* sayThenWait("x", signal);
        } finally {
          await clock.sleep(ms);
        }
      };
    const open: ProviderScript = async function* () {
      yield [say("x")];
      await new Promise<never>(() => undefined);
    };
    const slow = createChatSetup(byPersona({ Ada: closing(10), Bob: closing(30), Cleo: closing(20) }));
    const longest = await ask(
      slow,
      {},
      onceAllSpoke(slow, 3, () => slow.cancel()),
    );
    assert.deepEqual(answerOf(longest).cancel, { upstreamClosed: true, closedInMs: 30 });

    const stuck = createChatSetup(byPersona({ Ada: open, Bob: closing(30), Cleo: closing(20) }));
    const running = ask(
      stuck,
      {},
      onceAllSpoke(stuck, 3, () => stuck.cancel()),
    );
    await stuck.clock.advance(5_000);
    assert.equal(answerOf(await running).cancel?.upstreamClosed, false);
  });

  it("after all have completed changes nothing", async () => {
    const setup = createChatSetup(byPersona({ Ada: answers("A."), Bob: answers("B."), Cleo: answers("C.") }));
    let done = 0;
    const played = await ask(setup, {}, (batch) => {
      done += batch.filter(({ type }) => type === "lane-answer").length;
      if (done === 3) setup.cancel();
    });
    assert.equal(setup.context.signal.aborted, true);
    assert.equal(played.result?.status, "completed");
    assert.equal(answerOf(played).finishReason, "stop");
    assert.equal(answerOf(played).outcome, "complete");
  });

  it("by the turn's time limit fails the turn, and keeps the text", async () => {
    const setup = createChatSetup(
      byPersona({ Ada: answers("A."), Bob: waits("I sto"), Cleo: waits("I too") }),
    );
    const reason = new TroupeError("turn_timeout");
    const played = await ask(
      setup,
      {},
      onceAllSpoke(setup, 3, () => setup.abort(reason)),
    );
    assert.equal(played.thrown, reason);
    assert.deepEqual(
      played.stored.map(({ text }) => text),
      ["Well?", "A.", "I sto", "I too"],
    );
  });
});
