import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { canGoOn, recoverLanes } from "../../src/chat/recovered-lanes.ts";
import { sumUsage } from "../../src/chat/usage.ts";
import { isEvent, type TurnStep } from "../../src/ports/turn-event.ts";
import {
  type CallStage,
  completedRow,
  finals,
  type LaneProcess,
  made,
  openCallStage,
  play,
  playAll,
  playing,
  requestOf,
  textOf,
  threeCalls,
  usageOf,
  wholeText,
} from "./call-stage.ts";
import { answering, createChatSetup } from "./chat-setup.ts";
import { rawPacing } from "./paced-run.ts";
import { run } from "./run-a-lane.ts";

const allUsage = sumUsage([0, 1, 2].map(usageOf));

/** Runs the lane until this word of a call is due, and crashes there. */
async function crashAt(stage: CallStage, [call, word]: readonly [number, number]): Promise<LaneProcess> {
  const there = Promise.withResolvers<void>();
  const process = await stage.open(
    playing(async (atCall, atWord) => {
      if (atCall !== call || atWord !== word) return;
      there.resolve();
      await new Promise<never>(() => undefined);
    }),
    undefined,
    { pacing: rawPacing },
  );
  void play(process);
  await there.promise;
  process.crash();
  await process[Symbol.asyncDispose]();
  return process;
}

/** Opens another process that continues the lane after the steps that were stored. */
async function openNext(stage: CallStage, steps: readonly TurnStep[]) {
  const [begun] = recoverLanes(steps);
  assert.ok(begun !== undefined && canGoOn(begun));
  const request = requestOf(begun.checkpoint.call ?? 0);
  return stage.open(playAll, undefined, { request, begun, pacing: rawPacing });
}

describe("a lane of three calls whose process crashes", () => {
  for (const [call, word] of [
    [0, 1],
    [1, 1],
    [1, 4],
    [2, 2],
  ] as const)
    it(`continues at word ${word} of call ${call} in another process, with no gap and no repeat`, async () => {
      await using stage = await openCallStage();
      const { steps } = await crashAt(stage, [call, word]);
      await using process = await openNext(stage, steps);
      const result = await play(process);
      assert.deepEqual(made(process), [0, 1, 2].slice(call));
      const all = [...steps, ...process.steps];
      assert.deepEqual([textOf(all), result.text], [wholeText, wholeText]);
      assert.equal(finals(all).length, 1);
      assert.deepEqual(
        all
          .filter(isEvent)
          .filter(({ type }) => type === "status")
          .map((status) => "status" in status && status.status),
        ["starting", ...[0, 1, 2].flatMap(() => ["processing", "streaming"]), "completed"],
      );
      assert.deepEqual([result.usage, result.model], [allUsage, "model-2"]);
      assert.equal(process.spent(), allUsage?.totalTokens);
      assert.deepEqual(await process.rows(), [0, 1, 2].map(completedRow));
    });

  it("continues at the call before if nothing of the next one was shown", async () => {
    await using stage = await openCallStage();
    const { steps } = await crashAt(stage, [1, 0]);
    await using process = await openNext(stage, steps);
    const result = await play(process);
    assert.deepEqual(made(process), [0, 1, 2]);
    assert.deepEqual([textOf([...steps, ...process.steps]), result.usage], [wholeText, allUsage]);
  });

  it("counts only the text of the call that it continues as that call's output", async () => {
    await using stage = await openCallStage();
    const { steps } = await crashAt(stage, [1, 1]);
    await using process = await openNext(stage, steps);
    const result = await play(process, (step) => {
      if (step.type === "text") process.setup.cancel();
    });
    const shown = "Two more";
    assert.deepEqual([result.status, result.text], ["cancelled", `Look it up. ${shown}`]);
    assert.deepEqual(await process.rows(), [
      completedRow(0),
      ["ada", 1, "cancelled", 2, Math.ceil(shown.length / 4)],
    ]);
  });

  it("counts the text that was shown towards the size of its answer", async () => {
    const begun = recoverLanes([
      { type: "text", text: "x".repeat(90), final: false },
      { type: "checkpoint", place: {}, textUnits: 90, reasoningUnits: 0, toolEvents: 0 },
    ]).find(canGoOn);
    const setup = createChatSetup(answering("y".repeat(20)), { maxAnswerChars: 100 });
    const { result } = await run(setup, { begun });
    assert.deepEqual([result?.error?.code, result?.text.length], ["answer_too_large", 100]);
  });

  it("cannot continue if it has shown something of a call that has no checkpoint", async () => {
    const checkpoint: TurnStep = {
      ...{ type: "checkpoint", place: {}, textUnits: 3, reasoningUnits: 0, toolEvents: 0 },
    };
    const processing: TurnStep = { type: "status", status: "processing", simulated: false };
    const retry = { attempt: 1, delayMs: 500, code: "upstream_error" };
    const text = (said: string): TurnStep => ({ type: "text", text: said, final: false });
    const shown: readonly TurnStep[] = [
      text("more"),
      { type: "reasoning", text: "Hm." },
      { type: "tool", tool: "t", status: "s", callId: "c" },
    ];
    for (const step of shown) {
      const isResumable = (...rest: TurnStep[]): boolean =>
        recoverLanes([processing, text("One"), step, checkpoint, ...rest]).some(canGoOn);
      assert.equal(isResumable(step), true);
      assert.equal(isResumable(processing), true);
      assert.equal(isResumable({ ...processing, retry }, step), true);
      assert.equal(isResumable(processing, step), false);
      assert.equal(isResumable(processing, step, { ...checkpoint, call: 1 }), true);
    }
  });

  it("is not gone on with after its last text: it was stopped before its next call", async () => {
    const begun = recoverLanes([
      { type: "status", status: "processing", simulated: false },
      { type: "checkpoint", place: { words: 3 }, textUnits: 12, reasoningUnits: 0, toolEvents: 0 },
      { type: "text", text: "Look it up. ", final: true },
    ]).find(canGoOn);
    const setup = createChatSetup(playAll);
    const { result, events } = await run(setup, { ...threeCalls, begun });
    assert.deepEqual([result?.error?.code, setup.choice.requests.length], ["interrupted", 1]);
    assert.deepEqual(events, []);
  });
});
