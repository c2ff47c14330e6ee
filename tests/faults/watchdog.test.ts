import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { beatMs } from "../../src/chat/rhythm.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { createGate, type Script, type Step } from "../doubles/script.ts";
import { httpError, streamHead, streamScript } from "../doubles/stream-script.ts";
import { isTerminal, textOf } from "../support/wire-client.ts";
import { createFaultBench, type FaultBench, passLoopTurns, watchdogLimits } from "./fault-bench.ts";

const deltas = ["So far, ", "so good."];
const events = answer({ deltas });
const firstDeltaAt = events.findIndex((event) => event.startsWith("event: response.output_text.delta"));
const opening = events.slice(0, firstDeltaAt + 1);
const rest = events.slice(firstDeltaAt + 1);
const { firstByteMs, idleMs } = watchdogLimits;

function writes(texts: readonly string[]): Step[] {
  return texts.map((write) => ({ write }));
}

/** Steps that wait for the test; each `step` lets the upstream write the next text. */
function stepwise(texts: readonly string[]) {
  const gates = texts.map((write) => ({ write, gate: createGate() }));
  let next = 0;
  return {
    steps: gates.flatMap(({ write, gate }): Step[] => [{ waitFor: gate.opened }, { write }]),
    async step(): Promise<void> {
      gates[next]?.gate.open();
      next += 1;
      await passLoopTurns();
    },
  };
}

/** Moves the time; returns the terminal message if that has ended the request. */
async function pass({ clock, client }: FaultBench, ms: number): Promise<ServerMessage | undefined> {
  await clock.advance(ms);
  await passLoopTurns();
  return client.received.find(isTerminal);
}

function codeOf(message: ServerMessage | undefined): string | undefined {
  return message?.type === "error" ? message.code : message?.type;
}

async function seeFirstDelta({ client }: FaultBench): Promise<void> {
  await client.next((message) => message.type === "chunk");
  await passLoopTurns();
}

describe("silence of the upstream", () => {
  it("is not broken by keep-alive comments in the middle of an answer", async () => {
    await using bench = await createFaultBench();
    const comments = stepwise([": ping\n\n", ": ping\n\n", ": ping\n\n"]);
    bench.double.respond([streamHead(), ...writes(opening), ...comments.steps, { hang: true }]);
    bench.ask({ pacing: { mode: "raw" } });
    await seeFirstDelta(bench);
    for (const part of [0.4, 0.4]) {
      assert.equal(codeOf(await pass(bench, part * idleMs)), undefined);
      await comments.step();
    }
    assert.equal(codeOf(await pass(bench, 0.3 * idleMs)), "upstream_stalled");
    assert.equal(textOf(bench.client.received), deltas[0]);
    await bench.double.closed(await bench.double.received(1));
  });

  it("is not broken by keep-alive comments before the first event", async () => {
    await using bench = await createFaultBench();
    const comments = stepwise([": ping\n\n", ": ping\n\n"]);
    bench.double.respond([streamHead(), ...comments.steps, { hang: true }]);
    bench.ask();
    await bench.double.received(1);
    for (const part of [0.4, 0.4]) {
      assert.equal(codeOf(await pass(bench, part * firstByteMs)), undefined);
      await comments.step();
    }
    assert.equal(codeOf(await pass(bench, 0.3 * firstByteMs)), "upstream_timeout");
    assert.equal(bench.double.requests.length, 1);
    await bench.double.closed(await bench.double.received(1));
  });

  it("is over with every event", async () => {
    await using bench = await createFaultBench();
    const late = stepwise(rest);
    bench.double.respond([streamHead(), ...writes(opening), ...late.steps]);
    bench.ask({ pacing: { mode: "raw" } });
    await seeFirstDelta(bench);
    for (const _ of rest) {
      assert.equal(codeOf(await pass(bench, 0.9 * idleMs)), undefined);
      await late.step();
    }
    assert.equal(codeOf(await pass(bench, 0)), "response");
    assert.equal(textOf(bench.client.received), deltas.join(""));
  });

  it("ends only the lane that meets it", async () => {
    await using bench = await createFaultBench();
    bench.double.respond((_request, index) =>
      index === 1
        ? [streamHead(), ...writes(opening), { hang: true }]
        : streamScript(answer({ text: "Answered." })),
    );
    const persona_ids = ["teacher", "skeptic", "historian"];
    bench.client.send({ type: "multi_chat", id: "asked", data: { message: "Well?", persona_ids } });
    const isAnswer = (message: ServerMessage) => message.type === "persona_response";
    await bench.client.next(isAnswer);
    await bench.client.next(isAnswer);
    await passLoopTurns();
    const end = await pass(bench, idleMs);
    assert.ok(end?.type === "response" && "responses" in end.data);
    assert.equal(end.data.outcome, "degraded");
    const answers = bench.client.received.filter((message) => message.type === "persona_response");
    assert.deepEqual(
      answers.map(({ status, error, response }) => [status, error?.code, response]),
      [
        ["completed", undefined, "Answered."],
        ["completed", undefined, "Answered."],
        ["failed", "upstream_stalled", deltas[0]],
      ],
    );
  });
});

describe("a reader that rests", () => {
  /** More than twice what waits before reading pauses, so that it pauses more than once. */
  const long = Array.from({ length: 150 }, (_, index) => `${index} `.padEnd(1_000, "."));
  const chunkChars = 100;
  const intervalMs = 100;
  const showingMs = ((long.length * 1_000) / chunkChars) * intervalMs;
  const pacing = { mode: "fixed", chunk_chars: chunkChars, interval_ms: intervalMs };
  const idle = { firstByteMs: 5_000, idleMs: 5_000, instantMs: 0 };

  async function play(script: Script): Promise<FaultBench> {
    const bench = await createFaultBench(idle);
    bench.double.respond(script);
    bench.ask({ pacing });
    await bench.client.next((message) => message.type === "chunk");
    return bench;
  }

  it("does not count as silence of the upstream, however long it takes", async () => {
    await using bench = await play(streamScript(answer({ deltas: long })));
    assert.equal(codeOf(await pass(bench, showingMs / 2)), undefined);
    assert.equal(codeOf(await pass(bench, showingMs / 2)), "response");
    assert.equal(textOf(bench.client.received), long.join(""));
  });

  it("does not hide a silence that comes after it", async () => {
    const whole = answer({ deltas: long });
    await using bench = await play([
      streamHead(),
      ...writes(whole.slice(0, firstDeltaAt + long.length)),
      { hang: true },
    ]);
    assert.equal(codeOf(await pass(bench, showingMs / 2)), undefined);
    assert.equal(codeOf(await pass(bench, showingMs / 2 + idle.idleMs)), "upstream_stalled");
    assert.equal(textOf(bench.client.received), long.join(""));
  });
});

describe("the cap on the whole turn", () => {
  const turnLimitMs = 15_000;

  it("ends an answer that goes on and on, and keeps what was shown", async () => {
    await using bench = await createFaultBench({ turnLimitMs });
    bench.double.respond([streamHead(), ...writes(opening), { hang: true }]);
    bench.ask({ pacing: { mode: "raw" } });
    await seeFirstDelta(bench);
    // The rhythm has taken a beat of the time.
    assert.equal(codeOf(await pass(bench, turnLimitMs - 2 * beatMs)), undefined);
    assert.equal(codeOf(await pass(bench, 2 * beatMs)), "turn_timeout");
    assert.equal(textOf(bench.client.received), deltas[0]);
    await bench.double.closed(await bench.double.received(1));
  });

  it("ends a pause before a retry", async () => {
    await using bench = await createFaultBench({ turnLimitMs });
    bench.double.respond(httpError(503, "", { "retry-after": "20" }));
    bench.ask();
    await bench.client.next((message) => message.type === "status" && message.detail !== undefined);
    assert.equal(codeOf(await pass(bench, turnLimitMs)), "turn_timeout");
    await pass(bench, turnLimitMs);
    assert.equal(bench.double.requests.length, 1);
  });

  it("ends every lane", async () => {
    await using bench = await createFaultBench({ turnLimitMs });
    bench.double.respond([streamHead(), ...writes(opening), { hang: true }]);
    const persona_ids = ["teacher", "skeptic"];
    bench.client.send({
      type: "multi_chat",
      id: "asked",
      data: { message: "Well?", persona_ids, pacing: { mode: "raw" } },
    });
    await seeFirstDelta(bench);
    await seeFirstDelta(bench);
    assert.equal(codeOf(await pass(bench, turnLimitMs)), "turn_timeout");
    const ended = bench.client.received.flatMap((message) =>
      message.type === "persona_response" ? [[message.status, message.error?.code, message.response]] : [],
    );
    const expected = ["failed", "turn_timeout", deltas[0]];
    assert.deepEqual(ended, [expected, expected]);
    for (const call of bench.double.requests) await bench.double.closed(call);
  });
});
