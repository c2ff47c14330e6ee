import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Lane, runLane } from "../../src/chat/lane.ts";
import { canGoOn, recoverLanes } from "../../src/chat/recovered-lanes.ts";
import { sumUsage } from "../../src/chat/usage.ts";
import type { TurnStep } from "../../src/ports/turn-event.ts";
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
  wholeText,
} from "./call-stage.ts";
import { createChatSetup, end, type ProviderScript, say } from "./chat-setup.ts";
import { rawPacing } from "./paced-run.ts";
import { briefly, laneOf, run } from "./run-a-lane.ts";

const allUsage = sumUsage([0, 1, 2].map(usageOf));

describe("a lane of three calls", () => {
  it("is one text with the usage of all calls and the end of the last one, and has a row for each call", async () => {
    await using stage = await openCallStage();
    await using process = await stage.open(playAll);
    const result = await play(process);
    assert.deepEqual(result, {
      ...{ status: "completed", text: wholeText, model: "model-2", api: "openai", simulated: false },
      ...{ finishReason: "stop", usage: allUsage, response: { call: 2 } },
    });
    assert.equal(textOf(process.steps), wholeText);
    assert.deepEqual(process.setup.choice.requests, [0, 1, 2].map(requestOf));
    assert.deepEqual(await process.rows(), [0, 1, 2].map(completedRow));
  });

  it("tells each call before it is made, and shows nothing else between two of them", async () => {
    const asked: number[] = [];
    const setup = createChatSetup(async function* ({ request }) {
      asked.push(callOf(request));
      yield [say(`${callOf(request)}. `), end];
    });
    const madeBefore: (readonly number[])[] = [];
    const batches: string[][] = [];
    const played = await run(setup, { ...threeCalls, pacing: rawPacing }, (batch) => {
      batches.push(briefly({ events: [...batch] }));
      if (batch.some((event) => event.type === "status" && event.status === "processing"))
        madeBefore.push([...asked]);
    });
    assert.deepEqual(briefly(played), [
      ...["starting", "processing", "streaming", '"0. "'],
      ...["processing", "streaming", '"1. "'],
      ...["processing", "streaming", 'final "2. "', "completed"],
    ]);
    assert.deepEqual(madeBefore, [[], [0], [0, 1]]);
    assert.deepEqual(batches[1], ["streaming", '"0. "', "processing"], "in one commit");
  });

  it("asks for each further request with the end of the call before it", async () => {
    const ends: unknown[] = [];
    const setup = createChatSetup(playing(async () => undefined));
    await run(setup, {
      ...{ request: requestOf(0), showText: false },
      nextRequest: (ended, index) => {
        ends.push([index, ended]);
        return threeCalls.nextRequest?.(ended, index);
      },
    });
    const endOf = (call: number) => ({
      ...{ finishReason: call < 2 ? "tool_calls" : "stop", model: `model-${call}`, usage: usageOf(call) },
      ...{ text: calls[call]?.join(""), response: { call } },
    });
    assert.deepEqual(
      ends,
      [0, 1, 2].map((call) => [call, endOf(call)]),
    );
  });

  it("may have calls that say nothing, and keeps its text to itself if it must not be shown", async () => {
    const silent = createChatSetup(async function* ({ request }) {
      if (callOf(request) !== 1) yield [{ type: "tool", tool: "f", status: "completed", callId: "c" }];
      yield [end];
    });
    assert.deepEqual(briefly(await run(silent, threeCalls)), [
      ...["starting", "processing", "tool", "processing", "processing", "tool", 'final ""', "completed"],
    ]);
    const hidden = await run(createChatSetup(playAll), { ...threeCalls, showText: false });
    assert.equal(hidden.result?.text, wholeText);
    assert.equal(textOf(hidden.events), "");
  });

  it("numbers the checkpoints of its calls, and counts the whole lane in them", async () => {
    await using stage = await openCallStage();
    await using process = await stage.open(playAll);
    await play(process);
    const checkpoints = process.steps.filter((step) => step.type === "checkpoint");
    assert.ok(checkpoints.length > 3);
    for (const { call = 0, textUnits, earlierUsage, place } of checkpoints) {
      assert.equal(place.call, call);
      const shown = [...calls.slice(0, call).flat(), ...(calls[call]?.slice(0, Number(place.words)) ?? [])];
      assert.equal(textUnits, shown.join("").length);
      assert.deepEqual(earlierUsage, sumUsage([0, 1].slice(0, call).map(usageOf)));
    }
    assert.equal("call" in (checkpoints[0] ?? {}), false);
  });

  it("counts all parts that it has shown in its checkpoints, over all calls and processes", async () => {
    const tool = { type: "tool", tool: "f", status: "completed", callId: "c" } as const;
    const reasoning = { type: "reasoning", text: "Hmm" } as const;
    const setup = createChatSetup(async function* () {
      yield [say("ab"), reasoning, tool, { type: "checkpoint", place: {} }, say("c"), end];
    });
    async function countsOf(changes: Partial<Lane>): Promise<number[][]> {
      const all: TurnStep[] = [];
      const lane = laneOf(setup, { ...threeCalls, pacing: rawPacing, ...changes });
      await runLane(lane, setup.dependencies, async (steps) => void all.push(...steps));
      return all.flatMap((step) =>
        step.type === "checkpoint" ? [[step.textUnits, step.reasoningUnits, step.toolEvents]] : [],
      );
    }
    assert.deepEqual(await countsOf({}), [
      [2, 3, 1],
      [5, 6, 2],
      [8, 9, 3],
    ]);
    const begun = recoverLanes([
      { type: "text", text: "1234", final: false },
      { type: "reasoning", text: "12345" },
      tool,
      { type: "checkpoint", call: 1, place: {}, textUnits: 4, reasoningUnits: 5, toolEvents: 1 },
    ]).find(canGoOn);
    assert.deepEqual(await countsOf({ begun }), [
      [6, 8, 2],
      [9, 11, 3],
    ]);
  });

  it("has one limit for the size of its whole answer", async () => {
    const script: ProviderScript = async function* () {
      yield [say("x".repeat(40)), end];
    };
    for (const [maxAnswerChars, status] of [
      [120, "completed"],
      [119, "failed"],
    ] as const) {
      const setup = createChatSetup(script, { maxAnswerChars });
      const { result, events } = await run(setup, threeCalls);
      assert.deepEqual([result?.status, result?.text.length], [status, maxAnswerChars]);
      assert.deepEqual([setup.choice.requests.length, finals(events).length], [3, 1]);
    }
  });

  it("fails with its text so far if a later call fails", async () => {
    await using stage = await openCallStage();
    const error = new TroupeError("upstream_error");
    await using process = await stage.open(
      playing(async (call, word) => {
        if (call === 1 && word === 2) throw error;
      }),
    );
    const result = await play(process);
    assert.deepEqual([result.status, result.error, result.text], ["failed", error, "Look it up. Two more"]);
    assert.deepEqual(made(process), [0, 1]);
    assert.deepEqual(result.response, { call: 1, status: "in_progress" });
    assert.equal(finals(process.steps).length, 1);
    assert.deepEqual(await process.rows(), [completedRow(0), ["ada", 1, "failed", 2, 2]]);
  });

  it("has no response object of an earlier call if a later one fails before it has its own", async () => {
    const setup = createChatSetup(
      playing(async (call) => {
        if (call === 1) throw new TroupeError("upstream_error");
      }),
    );
    const { result } = await run(setup, threeCalls);
    assert.deepEqual([result?.text, result?.response], ["Look it up. ", undefined]);
  });
});
