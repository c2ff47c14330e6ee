import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runLane } from "../../src/chat/lane.ts";
import type { LaneResult } from "../../src/chat/lane-result.ts";
import type { TurnStep } from "../../src/ports/turn-event.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { answering, createChatSetup, end, play, say, sayThenWait } from "./chat-setup.ts";
import { readEmitted } from "./read-emitted.ts";
import { briefly, laneOf, question, run } from "./run-a-lane.ts";

describe("a lane that completes", () => {
  it("starts, streams with its first text, ends its text and completes", async () => {
    const setup = createChatSetup(async function* () {
      yield [{ type: "started" }];
      yield [say("")];
      yield [{ type: "reasoning", text: "hm" }];
      yield [say("One.")];
      yield [say(" Two."), end];
    });
    const played = await run(setup);
    assert.deepEqual(briefly(played), [
      "starting",
      "processing",
      "reasoning",
      "streaming",
      '"One."',
      'final " Two."',
      "completed",
    ]);
    assert.deepEqual(played.result, {
      status: "completed",
      text: "One. Two.",
      ...{ model: "model-given", api: "openai", simulated: false },
      finishReason: "stop",
      usage: { inputTokens: 3, outputTokens: 4, totalTokens: 7, estimated: false },
    });
  });

  it("has the sources that its answer cites among its items, also if it does not tell them", async () => {
    const url = "https://a.example/";
    const annotations = [{ type: "url_citation", url, title: "A", start_index: 0, end_index: 3 }];
    const message = { type: "message", content: [{ type: "output_text", text: "Hi.", annotations }] };
    const setup = createChatSetup(async function* () {
      yield [say("Hi."), { ...end, response: { output: [message] } }];
    });
    const source = { type: "source", url, title: "A" };
    const said = { type: "message", role: "assistant", parts: [{ type: "text", text: "Hi." }] };
    for (const includeSources of [false, true]) {
      const played = await run(setup, { includeSources });
      assert.deepEqual(played.result?.items, [said, source]);
      const told = { ...source, lane: "ada", index: 0, places: [{ start: 0, end: 3 }] };
      assert.deepEqual(
        played.events.filter(({ type }) => type === "source"),
        includeSources ? [told] : [],
      );
    }
  });

  it("names itself in every event, and says whether its answer is simulated", async () => {
    const setup = createChatSetup(answering("Hi."), { simulated: true });
    for (const event of (await run(setup)).events) {
      assert.equal("lane" in event && event.lane, "ada");
      if (event.type === "status") assert.equal(event.simulated, true);
    }
    const { key: _, ...nameless } = laneOf(setup);
    for (const event of (await play((emit) => runLane(nameless, setup.dependencies, emit))).events)
      assert.equal("lane" in event, false);
  });

  it("calls its provider only after processing was taken", async () => {
    const setup = createChatSetup(answering("Hi."));
    const lane = readEmitted<readonly TurnStep[], LaneResult>((emit) =>
      runLane(laneOf(setup), setup.dependencies, emit),
    );
    await lane.next();
    assert.equal(setup.choice.requests.length, 0);
    await lane.next();
    assert.deepEqual(setup.choice.requests, [question]);
    while ((await lane.next()).done !== true);
  });

  it("has a final text and no streaming if it says nothing", async () => {
    const played = await run(
      createChatSetup(async function* () {
        yield [end];
      }),
    );
    assert.deepEqual(briefly(played), ["starting", "processing", 'final ""', "completed"]);
    assert.equal(played.result?.text, "");
  });

  it("keeps its text to itself if it must not be shown", async () => {
    const played = await run(createChatSetup(answering("All the same.")), { showText: false });
    assert.deepEqual(briefly(played), ["starting", "processing", "streaming", "completed"]);
    assert.equal(played.result?.text, "All the same.");
  });

  it("estimates the usage if its provider gave none", async () => {
    const setup = createChatSetup(async function* () {
      yield [say("123456789"), { type: "end", finishReason: "length", model: "m" }];
    });
    const { result } = await run(setup);
    assert.deepEqual(result?.usage, { inputTokens: 2, outputTokens: 3, totalTokens: 5, estimated: true });
    assert.equal(result?.finishReason, "length");
  });

  it("keeps the provider's last response object, not the first", async () => {
    const setup = createChatSetup(async function* () {
      yield [{ type: "started", response: { id: "r", status: "in_progress" } }];
      yield [{ ...end, response: { id: "r", status: "completed" } }];
    });
    assert.deepEqual((await run(setup)).result?.response, { id: "r", status: "completed" });
  });
});

describe("a lane whose call is repeated", () => {
  it("says so with a second processing, before anything is shown", async () => {
    const setup = createChatSetup(async function* ({ index }) {
      if (index === 0) throw new TroupeError("upstream_overloaded", { safeToRepeat: true });
      yield [say("Here."), end];
    });
    const played = await run(setup);
    assert.deepEqual(briefly(played), [
      "starting",
      "processing",
      "processing again",
      "streaming",
      'final "Here."',
      "completed",
    ]);
    assert.deepEqual(played.events[2], {
      type: "status",
      lane: "ada",
      status: "processing",
      retry: { attempt: 1, delayMs: 500, code: "upstream_overloaded" },
      simulated: false,
    });
    assert.equal(setup.choice.requests.length, 2);
  });
});

describe("a lane that fails", () => {
  it("shows the text received, ends it, and returns the error with the first response object", async () => {
    const error = new TroupeError("upstream_truncated");
    const setup = createChatSetup(async function* () {
      yield [{ type: "started", response: { id: "r" } }, say("Half an ans")];
      throw error;
    });
    const played = await run(setup);
    const [last] = played.events.slice(-1);
    assert.equal(last?.type === "text" && last.final, true);
    assert.equal(briefly(played).includes("completed"), false);
    assert.deepEqual(played.result, {
      status: "failed",
      text: "Half an ans",
      ...{ model: "model-asked", api: "openai", simulated: false },
      usage: { inputTokens: 2, outputTokens: 3, totalTokens: 5, estimated: true },
      response: { id: "r" },
      error,
    });
  });

  it("masks foreign errors", async () => {
    const secret = new TypeError("secret of the inside");
    const setup = createChatSetup(async function* () {
      yield [say("x")];
      throw secret;
    });
    const { result } = await run(setup);
    assert.equal(result?.error?.code, "internal_error");
    assert.equal(result?.error?.cause, secret);
    assert.equal(result?.error?.publicMessage.includes("secret"), false);
  });

  it("ends with the reason if the turn ends with an error", async () => {
    const reason = new TroupeError("turn_timeout");
    const setup = createChatSetup(({ signal }) => sayThenWait("So far", signal));
    const { result } = await run(setup, {}, (batch) => {
      if (batch.some(({ type }) => type === "text")) setup.abort(reason);
    });
    assert.deepEqual([result?.status, result?.text, result?.error], ["failed", "So far", reason]);
    assert.equal(result?.cancel, undefined);
  });
});
