import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cancellation } from "../../src/chat/chat-context.ts";
import { runLane } from "../../src/chat/lane.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { answering, createChatSetup, end, say, sayThenWait } from "./chat-setup.ts";
import { rawPacing } from "./paced-run.ts";
import { briefly, laneOf, run } from "./run-a-lane.ts";

describe("a lane whose answer is too large", () => {
  const large = { mostAnswerChars: 100 };

  it("closes its call and fails", async () => {
    let closed = false;
    const setup = createChatSetup(async function* ({ signal }) {
      try {
        for (;;) {
          signal.throwIfAborted();
          yield [say("x".repeat(40))];
        }
      } finally {
        closed = true;
      }
    }, large);
    const { result, events } = await run(setup, { pacing: rawPacing });
    assert.equal(result?.error?.code, "answer_too_large");
    assert.equal(closed, true);
    assert.equal(events.filter((event) => event.type === "text" && event.final).length, 1);
  });

  it("fails as well where it comes whole, and is allowed the limit itself", async () => {
    for (const [length, status] of [
      [100, "completed"],
      [101, "failed"],
    ] as const) {
      const played = await run(createChatSetup(answering("x".repeat(length)), large), { pacing: rawPacing });
      assert.equal(played.result?.status, status);
      assert.equal(played.result?.text.length, length);
      assert.equal(briefly(played).includes("completed"), status === "completed");
    }
  });

  it("is cancelled where it was cancelled before its text was too much", async () => {
    const setup = createChatSetup(async function* ({ signal }) {
      yield [say("x".repeat(400))];
      yield* sayThenWait("", signal);
    }, large);
    const { result } = await run(setup, {}, (batch) => {
      if (batch.some(({ type }) => type === "text")) setup.cancel();
    });
    assert.deepEqual([result?.status, result?.error], ["cancelled", undefined]);
  });
});

describe("a lane whose words can't be kept", () => {
  const noRoom = new TroupeError("storage_unavailable");

  it("ends its call at once, though that is silent", async () => {
    let given: AbortSignal | undefined;
    const setup = createChatSetup(({ signal }) => {
      given = signal;
      return sayThenWait("one", signal);
    });
    const lane = runLane(laneOf(setup, { pacing: rawPacing }), setup.dependencies, async (steps) => {
      if (steps.some(({ type }) => type === "text")) throw noRoom;
    });
    await assert.rejects(lane, noRoom);
    assert.equal(given?.aborted, true);
  });

  it("is not asked for again behind a failed attempt", async () => {
    const setup = createChatSetup(async function* () {
      yield* [];
      throw new TroupeError("upstream_overloaded", { safeToRepeat: true, retryAfterMs: 5_000 });
    });
    const lane = runLane(laneOf(setup), setup.dependencies, async (steps) => {
      if (steps.some((step) => step.type === "status" && step.retry !== undefined)) throw noRoom;
    });
    await assert.rejects(lane, noRoom);
    await setup.clock.advance(60_000);
    assert.equal(setup.choice.requests.length, 1);
    assert.equal(setup.clock.sleeping, 0);
  });
});

describe("a lane that is cancelled", () => {
  it("shows all that came at once, and reports the close", async () => {
    const text = "word ".repeat(60);
    const setup = createChatSetup(async function* ({ signal, clock }) {
      try {
        yield [{ type: "started", response: { id: "r" } }];
        yield* sayThenWait(text, signal);
      } finally {
        await clock.sleep(70);
      }
    });
    const played = await run(setup, {}, (batch) => {
      if (batch.some(({ type }) => type === "text")) setup.cancel();
    });
    assert.deepEqual(briefly(played).slice(0, 3), ["starting", "processing", "streaming"]);
    assert.equal(briefly(played).at(-1), 'final "word word word word word word word word word word "');
    assert.deepEqual(played.result, {
      status: "cancelled",
      text,
      model: "model-asked",
      usage: { inputTokens: 2, outputTokens: 75, totalTokens: 77, estimated: true },
      response: { id: "r" },
      finishReason: "cancelled",
      cancel: { upstreamClosed: true, closedInMs: 70 },
    });
  });

  it("says that its call is still open where it does not close", async () => {
    const never = new Promise<never>(() => undefined);
    const setup = createChatSetup(async function* () {
      try {
        yield [say("So far")];
      } finally {
        await never;
      }
    });
    const running = run(setup, {}, (batch) => {
      if (batch.some(({ type }) => type === "text")) setup.cancel();
    });
    await setup.clock.advance(5_000);
    assert.deepEqual((await running).result?.cancel, { upstreamClosed: false, closedInMs: 2_000 });
  });

  it("before it began makes no call that it would not end", async () => {
    const setup = createChatSetup(async function* ({ signal }) {
      signal.throwIfAborted();
      yield [say("never"), end];
    });
    setup.abort(new Cancellation("stopped"));
    const played = await run(setup);
    assert.deepEqual(briefly(played), ["starting", "processing", 'final ""']);
    assert.equal(played.result?.status, "cancelled");
    assert.equal(played.result?.text, "");
  });

  it("while it waits to repeat its call does not repeat it", async () => {
    const setup = createChatSetup(async function* () {
      yield* [];
      throw new TroupeError("rate_limited", { safeToRepeat: true, retryAfterMs: 15_000 });
    });
    const { result } = await run(setup, {}, (batch) => {
      if (batch.some((event) => event.type === "status" && event.retry !== undefined)) setup.cancel();
    });
    assert.equal(result?.status, "cancelled");
    assert.equal(setup.choice.requests.length, 1);
    assert.equal(setup.clock.sleeping, 0);
  });
});
