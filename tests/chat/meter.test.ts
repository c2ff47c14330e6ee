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
  it("is closed upstream at once, shows all that came, and completes", async () => {
    const budget = createNotedBudget({ mostOutputTokens: 10 });
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
      model: "model-asked",
      finishReason: "budget",
      usage: estimated(2, 12),
      response: { id: "r" },
      isCut: true,
    });
    assert.deepEqual(budget.settled, [estimated(2, 12)]);
    assert.deepEqual(budget.recorded, [{ outcome: "budget", usage: estimated(2, 12) }]);
  });

  it("counts what a model writes beside its text", async () => {
    const budget = createNotedBudget({ mostOutputTokens: 9 });
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
    assert.deepEqual(result?.usage, estimated(2, 12));
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

describe("what a call is settled with", () => {
  it("is what its provider told, also when it is cancelled while its finished answer is still being shown", async () => {
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

  it("is an estimate of what came where it was cancelled or cut off", async () => {
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

  it("is nothing where it was turned away, and its input where it just never answered", async () => {
    for (const [code, safeToRepeat, usage] of [
      ["upstream_auth", false, estimated(0, 0)],
      ["model_not_found", false, estimated(0, 0)],
      ["upstream_overloaded", true, estimated(0, 0)],
      ["upstream_timeout", false, estimated(2, 0)],
      ["upstream_empty", false, estimated(2, 0)],
    ] as const) {
      const setup = createChatSetup(async function* () {
        yield* [];
        throw new TroupeError(code, { safeToRepeat });
      });
      await run(setup);
      assert.deepEqual(setup.budget.settled, [usage], code);
      assert.deepEqual(setup.budget.recorded, [{ outcome: "failed", usage }], code);
    }
  });

  it("is told once for all attempts", async () => {
    const setup = createChatSetup(async function* ({ index }) {
      if (index === 0) throw new TroupeError("upstream_overloaded", { safeToRepeat: true });
      yield [say("Here."), end];
    });
    await run(setup);
    assert.deepEqual([setup.budget.plans.length, setup.budget.settled.length], [1, 1]);
    assert.equal(setup.budget.recorded[0]?.usage.outputTokens, 4);
  });
});
