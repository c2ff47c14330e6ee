import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../src/protocol/errors.ts";
import { createChatSetup, end, say, sayThenWait } from "./chat-setup.ts";
import { createNotedBudget } from "./noted-budget.ts";
import { rawPacing } from "./paced-run.ts";
import { briefly, question, run } from "./run-a-lane.ts";

const estimated = (inputTokens: number, outputTokens: number) => ({
  inputTokens,
  outputTokens,
  totalTokens: inputTokens + outputTokens,
  estimated: true,
});

describe("a lane whose budget is used up on its way", () => {
  it("is closed upstream at once, shows all text received, and completes", async () => {
    const budget = createNotedBudget({ maxOutputTokens: 10 });
    let closedAfter = 0;
    let batches = 0;
    const setup = createChatSetup(
      async function* ({ signal }) {
        signal.addEventListener("abort", () => {
          closedAfter = batches;
        });
        yield [{ type: "started", response: { id: "r" } }];
        for (;;) {
          batches += 1;
          yield [say("four char words ")];
          signal.throwIfAborted();
        }
      },
      { budget },
    );
    const played = await run(setup, { pacing: rawPacing });
    assert.equal(closedAfter, 3);
    assert.equal(batches, 3);
    assert.equal(briefly(played).at(-1), "completed");
    assert.deepEqual(played.result, {
      status: "completed",
      text: "four char words ".repeat(3),
      ...{ model: "model-asked", api: "openai", simulated: false },
      finishReason: "budget",
      usage: estimated(2, 12),
      response: { id: "r" },
      isCut: true,
    });
    assert.deepEqual(budget.settled, [estimated(2, 12)]);
    assert.deepEqual(budget.recorded, [{ outcome: "budget", usage: estimated(2, 12) }]);
  });

  it("counts a model's output besides its text", async () => {
    const budget = createNotedBudget({ maxOutputTokens: 9 });
    const setup = createChatSetup(
      async function* () {
        yield [{ type: "reasoning", text: "r".repeat(20) }];
        yield [{ type: "tool", tool: "f", status: "completed", callId: "c", payload: { a: "y".repeat(20) } }];
        yield [say("never")];
      },
      { budget },
    );
    const { result } = await run(setup);
    assert.deepEqual([result?.finishReason, result?.text], ["budget", ""]);
    assert.deepEqual(result?.usage, estimated(2, 13));
  });

  it("ends for the budget's sake at the limit that the budget sends", async () => {
    const budget = createNotedBudget({ limitSent: 50 });
    const setup = createChatSetup(
      async function* () {
        yield [say("Cut"), { ...end, finishReason: "length" as const, response: { status: "incomplete" } }];
      },
      { budget },
    );
    const { result } = await run(setup);
    assert.deepEqual(setup.choice.requests, [{ ...question, maxOutputTokens: 50 }]);
    assert.deepEqual([result?.finishReason, result?.isCut], ["budget", undefined]);
    assert.deepEqual(result?.response, { status: "incomplete" });
    assert.deepEqual(budget.recorded, [{ outcome: "budget", usage: end.type === "end" && end.usage }]);
  });
});

describe("a lane that no budget has room for", () => {
  it("fails without a call, with a final text and no processing", async () => {
    const budget = createNotedBudget({ refused: ["ada"] });
    const setup = createChatSetup(
      async function* () {
        yield [say("never"), end];
      },
      { budget },
    );
    const played = await run(setup);
    assert.deepEqual(briefly(played), ["starting", 'final ""']);
    assert.deepEqual(
      [played.result?.error?.code, played.result?.error?.retryAfterMs],
      ["budget_exhausted", 60_000],
    );
    assert.deepEqual([setup.choice.requests.length, budget.recorded.length], [0, 0]);
    assert.deepEqual(briefly(await run(setup, { showText: false })), ["starting"]);
  });
});

describe("the settled usage of a call", () => {
  it("is the provider's figure, also if it is cancelled while its finished answer is still being shown", async () => {
    const setup = createChatSetup(async function* () {
      yield [say("word ".repeat(60)), end];
    });
    const played = await run(setup, {}, (batch) => {
      if (batch.some(({ type }) => type === "text")) setup.cancel();
    });
    const usage = { inputTokens: 3, outputTokens: 4, totalTokens: 7, estimated: false };
    assert.equal(played.result?.status, "cancelled");
    assert.deepEqual(played.result.usage, usage);
    assert.deepEqual(setup.budget.settled, [usage]);
    assert.deepEqual(setup.budget.recorded, [{ outcome: "cancelled", usage }]);
  });

  it("is an estimate of the text received if it was cancelled or cut off", async () => {
    const setup = createChatSetup(({ signal }) => sayThenWait("So far", signal));
    await run(setup, {}, (batch) => {
      if (batch.some(({ type }) => type === "text")) setup.cancel();
    });
    assert.deepEqual(setup.budget.recorded, [{ outcome: "cancelled", usage: estimated(2, 2) }]);
    const cut = createChatSetup(({ signal }) => sayThenWait("So far", signal));
    await run(cut, {}, (batch) => {
      if (batch.some(({ type }) => type === "text")) cut.abort(new TroupeError("interrupted"));
    });
    assert.deepEqual(cut.budget.recorded, [{ outcome: "interrupted", usage: estimated(2, 2) }]);
  });

  it("is nothing if it was surely not read, else the input of each attempt that may have been read", async () => {
    const repeated = { safeToRepeat: true };
    for (const [error, attempts, read] of [
      [new TroupeError("upstream_auth"), 1, 0],
      [new TroupeError("upstream_invalid_request"), 1, 0],
      [new TroupeError("model_not_found"), 1, 0],
      [new TroupeError("context_length_exceeded"), 1, 0],
      [new TroupeError("previous_response_not_found"), 1, 0],
      [new TroupeError("quota_exceeded"), 1, 0],
      [new TroupeError("rate_limited", repeated), 3, 0],
      [new TroupeError("upstream_unreachable", repeated), 3, 0],
      [new TroupeError("upstream_overloaded", { ...repeated, isUnread: true }), 3, 0],
      [new TroupeError("upstream_overloaded", repeated), 3, 3],
      [new TroupeError("upstream_disconnected", repeated), 3, 3],
      [new TroupeError("upstream_error", repeated), 3, 3],
      [new TroupeError("upstream_invalid_request", { ...repeated, isUnread: false }), 3, 3],
      [new TroupeError("upstream_unreachable", { ...repeated, isUnread: false }), 3, 3],
      [new TroupeError("upstream_timeout"), 1, 1],
      [new TroupeError("upstream_timeout", { isUnread: true }), 1, 0],
      [new TroupeError("upstream_empty"), 1, 1],
      [new TroupeError("upstream_invalid"), 1, 1],
      [new TypeError("a provider of one's own broke"), 1, 1],
    ] as const) {
      const setup = createChatSetup(async function* () {
        yield* [];
        throw error;
      });
      await run(setup);
      const usage = estimated(2 * read, 0);
      const name = `${error.message} ${JSON.stringify(error)}`;
      assert.equal(setup.choice.requests.length, attempts, name);
      assert.deepEqual(setup.budget.settled, [usage], name);
      assert.deepEqual(setup.budget.recorded, [{ outcome: "failed", usage }], name);
      assert.equal(setup.budget.repeats, read === 0 ? 0 : attempts - 1, name);
    }
  });

  it("adds a failed attempt to the answer, which counts as its provider reported it", async () => {
    const setup = createChatSetup(async function* ({ index }) {
      if (index === 0) throw new TroupeError("upstream_disconnected", { safeToRepeat: true });
      if (index === 1) throw new TroupeError("rate_limited", { safeToRepeat: true });
      yield [say("Here."), end];
    });
    const { result } = await run(setup);
    assert.deepEqual(result?.usage, { inputTokens: 3, outputTokens: 4, totalTokens: 7, estimated: false });
    assert.deepEqual([setup.budget.plans.length, setup.budget.repeats], [1, 1]);
    assert.deepEqual(setup.budget.settled, [estimated(5, 4)]);
    assert.deepEqual(setup.budget.recorded, [{ outcome: "completed", usage: estimated(5, 4) }]);
  });

  it("is the attempts made so far if no budget pays another", async () => {
    const budget = createNotedBudget({ maxRepeats: 1 });
    const setup = createChatSetup(
      async function* () {
        yield* [];
        throw new TroupeError("upstream_error", { safeToRepeat: true });
      },
      { budget },
    );
    const { result } = await run(setup);
    assert.deepEqual([result?.status, result?.error?.code], ["failed", "budget_exhausted"]);
    assert.equal(setup.choice.requests.length, 2);
    assert.deepEqual(budget.recorded, [{ outcome: "failed", usage: estimated(4, 0) }]);
  });

  it("starts with the text shown by another process, and is not nothing if that cannot be continued", async () => {
    const begun = {
      ...{ key: "ada", text: "x".repeat(40), reasoningUnits: 0, toolEvents: 0, ended: false },
      ...{ status: undefined, answer: undefined },
      checkpoint: {
        type: "checkpoint" as const,
        lane: "ada",
        ...{ textUnits: 40, reasoningUnits: 0, toolEvents: 0, place: {} },
      },
    };
    const cut = createChatSetup(({ signal }) => sayThenWait("more", signal));
    await run(cut, { begun }, (batch) => {
      if (batch.some(({ type }) => type === "text")) cut.cancel();
    });
    assert.deepEqual(cut.budget.recorded, [{ outcome: "cancelled", usage: estimated(2, 11) }]);
    const gone = createChatSetup(async function* () {
      yield* [];
      throw new TroupeError("model_not_found");
    });
    await run(gone, { begun });
    assert.deepEqual(gone.budget.recorded, [{ outcome: "failed", usage: estimated(2, 10) }]);
  });
});
