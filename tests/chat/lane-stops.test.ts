import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cancellation } from "../../src/chat/chat-context.ts";
import { runLane } from "../../src/chat/lane.ts";
import type { ProviderEvent } from "../../src/ports/provider.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { answering, createChatSetup, end, say, sayThenWait } from "./chat-setup.ts";
import { rawPacing } from "./paced-run.ts";
import { briefly, laneOf, run } from "./run-a-lane.ts";

describe("a lane whose answer is too large", () => {
  const large = { maxAnswerChars: 100 };

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

  it("fails as well if it arrives at once, and may have exactly the limit", async () => {
    for (const [length, status] of [
      [100, "completed"],
      [101, "failed"],
    ] as const) {
      const played = await run(createChatSetup(answering("x".repeat(length)), large), { pacing: rawPacing });
      assert.equal(played.result?.status, status);
      assert.equal(played.result?.text.length, 100);
      assert.equal(briefly(played).includes("completed"), status === "completed");
    }
  });

  it("is never cut inside a surrogate pair", async () => {
    for (const [text, shown] of [
      [`${"x".repeat(99)}🚀`, 99],
      [`${"x".repeat(98)}🚀y`, 100],
      [`${"x".repeat(99)}\u{e000}y`, 100],
    ] as const) {
      const { result } = await run(createChatSetup(answering(text), large), { pacing: rawPacing });
      assert.deepEqual([result?.error?.code, result?.text], ["answer_too_large", text.slice(0, shown)]);
    }
  });

  it("counts reasoning, tools and the vendor's objects as well, together at most four times as much", async () => {
    const long = "x".repeat(150);
    const payload = { long };
    const kinds: readonly ProviderEvent[] = [
      { type: "reasoning", text: long },
      { type: "tool", tool: "search", status: "completed", callId: "1", payload },
      { type: "started", response: payload },
      { type: "end", finishReason: "stop", model: "m", response: payload },
    ];
    for (const event of kinds) {
      let closed = 0;
      const script = (times: number) =>
        createChatSetup(async function* ({ signal }) {
          try {
            for (let count = 1; count < times; count += 1) {
              signal.throwIfAborted();
              yield [{ type: "reasoning", text: long }];
            }
            yield event.type === "end" ? [say("a"), event] : [event];
            yield [say("a"), end];
          } finally {
            closed += 1;
          }
        }, large);
      const fits = await run(script(2), { pacing: rawPacing });
      assert.deepEqual([fits.result?.status, fits.result?.text], ["completed", "a"], event.type);
      const beyond = await run(script(3), { pacing: rawPacing });
      assert.equal(beyond.result?.error?.code, "answer_too_large", event.type);
      assert.equal(closed, 2);
      const logged = JSON.stringify([beyond.events, beyond.result?.response ?? {}]);
      assert.equal(logged.split(long).length - 1, 2, "only what fits is logged");
    }
  });

  it("closes its call when it is read, however slowly its text is shown", async () => {
    const closed = Promise.withResolvers<void>();
    const setup = createChatSetup(async function* ({ signal }) {
      try {
        yield [say("x".repeat(90))];
        yield [say("y".repeat(90))];
        yield* sayThenWait("never", signal);
      } finally {
        closed.resolve();
      }
    }, large);
    const slow = { ...rawPacing, mode: "fixed" as const, chunkChars: 1, intervalMs: 5_000 };
    const running = run(setup, { pacing: slow });
    await setup.clock.advance(10_000);
    await closed.promise;
    await setup.clock.advance(1_000_000);
    const { result } = await running;
    assert.deepEqual([result?.error?.code, result?.text.length], ["answer_too_large", 100]);
  });

  it("shows only its end once its log has no room", async () => {
    let closed = false;
    const setup = createChatSetup(async function* ({ signal }) {
      try {
        for (;;) {
          signal.throwIfAborted();
          yield [say("word "), { type: "reasoning", text: "hm" }];
        }
      } finally {
        closed = true;
      }
    });
    let shown = 0;
    const isFull = () => shown >= 3;
    const { result, events } = await run(setup, { pacing: rawPacing, isFull }, (batch) => {
      shown += batch.filter(({ type }) => type === "text").length;
    });
    assert.deepEqual([result?.error?.code, result?.text], ["answer_too_large", "word word word "]);
    assert.deepEqual(events.at(-1), { type: "text", text: "", final: true, lane: "ada" });
    assert.equal(closed, true);
  });

  it("keeps the vendor's first object though its log has no room for a word", async () => {
    const response = { id: "resp_1" };
    const setup = createChatSetup(async function* () {
      yield [{ type: "started", response }, say("word "), end];
    });
    const { result } = await run(setup, { pacing: rawPacing, isFull: () => true });
    assert.deepEqual(
      [result?.error?.code, result?.text, result?.response],
      ["answer_too_large", "", response],
    );
  });

  it("is cancelled if it was cancelled before all that fits was shown", async () => {
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

  it("is not asked again after a failed attempt", async () => {
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
  it("shows all text received at once, and reports the close", async () => {
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
      ...{ model: "model-asked", api: "openai", simulated: false },
      usage: { inputTokens: 2, outputTokens: 75, totalTokens: 77, estimated: true },
      response: { id: "r" },
      finishReason: "cancelled",
      cancel: { upstreamClosed: true, closedInMs: 70 },
    });
  });

  it("reports that its call is still open if it does not close", async () => {
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

  it("before its start makes no call", async () => {
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
