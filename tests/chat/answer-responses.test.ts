import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answerResponses } from "../../src/chat/answer-responses.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { TurnEvent, TurnStep } from "../../src/ports/turn-event.ts";
import type { TurnRequest } from "../../src/ports/turn-request.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { brief, type ChatSetup, createChatSetup, end, play, say, sayThenWait } from "./chat-setup.ts";
import { rawPacing } from "./paced-run.ts";

type ResponsesRequest = Extract<TurnRequest, { kind: "responses" }>;

const request: ResponsesRequest = {
  kind: "responses",
  input: [textMessage("user", "12345678")],
  includeReasoning: false,
  options: {},
  pacing: rawPacing,
};

const run = (
  { choice, dependencies, context }: ChatSetup,
  changes: Partial<ResponsesRequest> = {},
  onBatch?: (batch: readonly TurnEvent[]) => void,
) =>
  play((emit) => {
    const asked = { request: { ...request, ...changes }, owner: "ada", choice };
    return answerResponses(asked, dependencies, { ...context, emit });
  }, onBatch);

const atFirstText = (act: () => void) => (batch: readonly TurnEvent[]) => {
  if (batch.some(({ type }) => type === "text")) act();
};

describe("answerResponses", () => {
  it("leaves its last steps to the append of the turn's end, unless the answer is checked first", async () => {
    const emittedOf = async (options: ResponsesRequest["options"]) => {
      const { choice, dependencies, context } = createChatSetup(async function* () {
        yield [say('{"a":1}'), end];
      });
      const withEnd: string[] = [];
      const emitWithNext = (steps: readonly TurnStep[]) =>
        void withEnd.push(...steps.map(({ type }) => type));
      const asked = { request: { ...request, options }, owner: "ada", choice };
      const { events } = await play((emit) =>
        answerResponses(asked, dependencies, { ...context, emit, emitWithNext }),
      );
      return { emitted: events.map(({ type }) => type), withEnd };
    };
    const whole = await emittedOf({});
    // Its only text is the first one as well.
    assert.deepEqual(whole.withEnd, ["status", "text", "status"]);
    const checked = await emittedOf({ text: { format: { type: "json_object" } } });
    assert.deepEqual([checked.withEnd, checked.emitted], [[], [...whole.emitted, ...whole.withEnd]]);
  });

  it("passes on all that the client asked for", async () => {
    const setup = createChatSetup(async function* () {
      yield [say("Hi."), end];
    });
    await run(setup, {
      previousResponseId: "resp_0",
      tools: [{ type: "web_search" }],
      includeReasoning: true,
      options: { top_p: 0.5, max_output_tokens: 99 },
      maxTokens: 99,
    });
    assert.deepEqual(setup.choice.requests, [
      {
        model: "model-asked",
        responseId: "resp_id-1",
        input: [textMessage("user", "12345678")],
        previousResponseId: "resp_0",
        tools: [{ type: "web_search" }],
        includeReasoning: true,
        options: { top_p: 0.5, max_output_tokens: 99 },
        maxOutputTokens: 99,
      },
    ]);
  });

  it("leaves out the fields that the client left out", async () => {
    const setup = createChatSetup(async function* () {
      yield [end];
    });
    await run(setup);
    assert.deepEqual(Object.keys(setup.choice.requests[0] ?? {}).sort(), [
      "includeReasoning",
      "input",
      "model",
      "options",
      "responseId",
    ]);
  });

  it("answers with the vendor's response object in a nameless lane", async () => {
    const response = { id: "resp_1", object: "response", status: "completed", output: [] };
    const setup = createChatSetup(
      async function* () {
        yield [say("Hi."), { ...end, finishReason: "length", response }];
      },
      { simulated: true },
    );
    const { events, result } = await run(setup);
    assert.deepEqual(events.map(brief), ["starting", "processing", "streaming", 'final "Hi."', "completed"]);
    for (const event of events) assert.equal("lane" in event, false);
    assert.deepEqual(result, {
      type: "answer",
      status: "completed",
      answer: {
        ...{ kind: "responses", text: "Hi.", response, finishReason: "length", simulated: true },
        ...("usage" in end ? { usage: end.usage } : {}),
      },
    });
  });

  it("fails with the lane's error", async () => {
    const error = new TroupeError("upstream_stalled");
    const setup = createChatSetup(async function* () {
      yield [say("Half")];
      throw error;
    });
    const { thrown, events } = await run(setup);
    assert.equal(thrown, error);
    assert.equal(events.map(brief).includes("completed"), false);
  });

  it("after a cancel answers with the last snapshot, the text that was shown and the usage so far", async () => {
    const snapshot = {
      id: "resp_1",
      object: "response",
      model: "model-dated",
      status: "in_progress",
      output: [],
      usage: null,
      metadata: { a: "b" },
    };
    const setup = createChatSetup(async function* ({ signal }) {
      yield [{ type: "started", response: snapshot }];
      yield* sayThenWait("Half an ans", signal);
    });
    const { result } = await run(
      setup,
      {},
      atFirstText(() => setup.cancel()),
    );
    assert.deepEqual(result, {
      type: "answer",
      status: "cancelled",
      answer: {
        kind: "responses",
        text: "Half an ans",
        finishReason: "cancelled",
        simulated: false,
        cancel: { upstreamClosed: true, closedInMs: 0 },
        response: snapshot,
        partial: "cancelled",
        model: "model-asked",
        usage: { inputTokens: 2, outputTokens: 3, totalTokens: 5, estimated: true },
      },
    });
  });

  it("after a cancel before the vendor said anything answers with the model that was asked", async () => {
    const setup = createChatSetup(async function* ({ signal }) {
      signal.throwIfAborted();
      yield [end];
    });
    setup.cancel();
    const { result } = await run(setup);
    assert.ok(result?.status === "cancelled" && result.answer.kind === "responses");
    const { response, model, partial } = result.answer;
    assert.deepEqual([response, model, partial], [{}, "model-asked", "cancelled"]);
  });

  it("counts a cancel after the last chunk as too late", async () => {
    const setup = createChatSetup(async function* () {
      yield [say("All."), end];
    });
    const { result } = await run(
      setup,
      {},
      atFirstText(() => setup.cancel()),
    );
    assert.equal(setup.context.signal.aborted, true);
    assert.equal(result?.status, "completed");
  });
});
