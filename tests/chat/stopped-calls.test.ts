import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sumUsage } from "../../src/chat/usage.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import {
  callOf,
  calls,
  completedRow,
  finals,
  made,
  openCallStage,
  play,
  playAll,
  playing,
  requestOf,
  textOf,
  threeCalls,
  usageOf,
} from "./call-stage.ts";
import { createChatSetup, say } from "./chat-setup.ts";
import { run } from "./run-a-lane.ts";

describe("a lane of three calls that is cancelled", () => {
  it("during its second one closes that, makes no other and keeps the text so far", async () => {
    await using stage = await openCallStage();
    const closed: number[] = [];
    await using process = await stage.open(
      playing(async (call, word, signal) => {
        if (call !== 1 || word !== 3) return;
        process.setup.cancel();
        assert.equal(signal.aborted, true);
        closed.push(call);
      }),
    );
    const result = await play(process);
    const text = "Look it up. Two more things";
    assert.deepEqual([result.status, result.finishReason, result.text], ["cancelled", "cancelled", text]);
    assert.deepEqual(result.cancel, { upstreamClosed: true, closedInMs: 0 });
    assert.equal(result.usage?.inputTokens, usageOf(0).inputTokens + 2);
    assert.deepEqual([made(process), closed], [[0, 1], [1]]);
    assert.equal(textOf(process.steps), text);
    assert.equal(finals(process.steps).length, 1);
    assert.deepEqual(await process.rows(), [completedRow(0), ["ada", 1, "cancelled", 2, 4]]);
  });

  it("between two of them opens no other", async () => {
    await using stage = await openCallStage();
    await using process = await stage.open(playAll, undefined, {
      nextRequest: (_, index) => {
        process.setup.cancel();
        return requestOf(index + 1);
      },
    });
    const result = await play(process);
    assert.deepEqual([result.status, result.text], ["cancelled", "Look it up. "]);
    assert.deepEqual(result.cancel, { upstreamClosed: true, closedInMs: 0 });
    assert.deepEqual([made(process), finals(process.steps).length], [[0], 1]);
    assert.deepEqual(await process.rows(), [["ada", 0, "cancelled", 10, 20]]);
  });
});

describe("a lane of three calls whose budget runs out", () => {
  it("in the second one completes with the text so far, and asks for no other", async () => {
    await using stage = await openCallStage();
    const long = "word ".repeat(200);
    const limits: (number | undefined)[] = [];
    await using process = await stage.open(async function* (call) {
      limits.push(call.request.maxOutputTokens);
      if (callOf(call.request) === 0) return yield* playAll(call);
      for (;;) {
        call.signal.throwIfAborted();
        yield [say(long)];
      }
    }, 1_000);
    const result = await play(process);
    assert.deepEqual([result.status, result.finishReason, result.isCut], ["completed", "budget", true]);
    assert.match(result.text, /^Look it up\. (word )+$/);
    assert.equal(textOf(process.steps), result.text);
    const [, second] = limits;
    assert.deepEqual(limits, [998, 1_000 - usageOf(0).totalTokens - 2]);
    assert.deepEqual(made(process), [0, 1]);
    assert.deepEqual(process.steps.at(-1), {
      type: "status",
      lane: "ada",
      status: "completed",
      simulated: false,
    });
    const [first, cut] = await process.rows();
    assert.deepEqual([first, cut?.slice(0, 3)], [completedRow(0), ["ada", 1, "budget"]]);
    assert.ok(Number(cut?.[4]) >= Number(second) - 256, String(cut));
  });

  it("before the third one completes with the text so far", async () => {
    await using stage = await openCallStage();
    const spent = usageOf(0).totalTokens + usageOf(1).totalTokens;
    await using process = await stage.open(playAll, spent + 2 + 15);
    const result = await play(process);
    const text = calls.slice(0, 2).flat().join("");
    assert.deepEqual(result, {
      ...{ status: "completed", text, model: "model-1", finishReason: "budget", isCut: true },
      ...{ api: "openai", simulated: false },
      ...{ usage: sumUsage([usageOf(0), usageOf(1)]), response: { call: 1 } },
    });
    assert.equal(textOf(process.steps), text);
    assert.deepEqual(
      process.steps.slice(-2).map((step) => (step.type === "status" ? step.status : step.type)),
      ["text", "completed"],
    );
    assert.equal(finals(process.steps).length, 1);
    assert.deepEqual(made(process), [0, 1]);
    assert.deepEqual(await process.rows(), [0, 1].map(completedRow));
  });

  it("fails if the budget cannot be asked for a later call", async () => {
    const setup = createChatSetup(playAll);
    const fault = new TroupeError("storage_unavailable");
    const budget = {
      open(plan: Parameters<typeof setup.budget.open>[0]) {
        if (plan.call === 1) throw fault;
        return setup.budget.open(plan);
      },
    };
    const { result, events } = await run(setup, { ...threeCalls, budget });
    assert.deepEqual([result?.status, result?.error, result?.text], ["failed", fault, "Look it up. "]);
    assert.deepEqual([setup.choice.requests.length, finals(events).length], [1, 1]);
  });
});
