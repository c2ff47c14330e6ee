import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { beatMs } from "../../src/chat/pacing/pace.ts";
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

/** Moves the time. The request must not end during it. */
async function passes({ clock, client }: FaultBench, ms: number): Promise<void> {
  await clock.advance(ms);
  await passLoopTurns();
  assert.equal(codeOf(client.received.find(isTerminal)), undefined);
}

/**
 * Moves the time. The request must end during it: returns its code, or the type of its message. The end may take a while
 * to arrive.
 */
async function endOf(bench: FaultBench, ms: number): Promise<string | undefined> {
  await bench.clock.advance(ms);
  return codeOf((await bench.untilTerminal()).find(isTerminal));
}

function codeOf(message: ServerMessage | undefined): string | undefined {
  return message?.type === "error" ? message.code : message?.type;
}

/** Waits until `count` chunks have arrived, and the lanes have asked for the next text. */
async function seeChunks(bench: FaultBench, count: number): Promise<void> {
  await bench.until((received) => received.filter(({ type }) => type === "chunk").length >= count);
  await passLoopTurns();
}

describe("silence of the upstream", () => {
  it("is not broken by keep-alive comments in the middle of an answer", async () => {
    await using bench = await createFaultBench();
    const comments = stepwise([": ping\n\n", ": ping\n\n", ": ping\n\n"]);
    bench.double.respond([streamHead(), ...writes(opening), ...comments.steps, { hang: true }]);
    bench.ask({ pacing: { mode: "raw" } });
    await seeChunks(bench, 1);
    for (const part of [0.4, 0.4]) {
      await passes(bench, part * idleMs);
      await comments.step();
    }
    assert.equal(await endOf(bench, 0.3 * idleMs), "upstream_stalled");
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
      await passes(bench, part * firstByteMs);
      await comments.step();
    }
    assert.equal(await endOf(bench, 0.3 * firstByteMs), "upstream_timeout");
    assert.equal(bench.double.requests.length, 1);
    await bench.double.closed(await bench.double.received(1));
  });

  it("is over with every event", async () => {
    await using bench = await createFaultBench();
    const pieces = ["Every ", "piece ", "comes ", "late."];
    const whole = answer({ deltas: pieces });
    const [first = "", ...later] = whole.slice(firstDeltaAt, firstDeltaAt + pieces.length);
    const late = stepwise([...later, whole.slice(firstDeltaAt + pieces.length).join("")]);
    bench.double.respond([streamHead(), ...writes([...whole.slice(0, firstDeltaAt), first]), ...late.steps]);
    bench.ask({ pacing: { mode: "raw" } });
    for (let seen = 1; seen <= pieces.length; seen += 1) {
      // The clock cannot tell that a piece has arrived; the chunk that shows it can.
      await seeChunks(bench, seen);
      await passes(bench, 0.9 * idleMs);
      await late.step();
    }
    assert.equal(await endOf(bench, 0), "response");
    assert.equal(textOf(bench.client.received), pieces.join(""));
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
    await bench.until(
      (received) =>
        received.filter(({ type }) => type === "persona_response").length === 2 &&
        received.some((message) => message.type === "chunk" && message.chunk === deltas[0]),
    );
    await passLoopTurns();
    assert.equal(await endOf(bench, idleMs), "response");
    const end = bench.client.received.find(isTerminal);
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
  /**
   * Each text exceeds the amount at which reading pauses (65,536 characters), and is read as a whole. Reading resumes at
   * half of that, so it pauses for 100 s, and then has 33 s of text left to show.
   */
  const long = ["a", "b", "c"].map((letter) => `${letter} `.repeat(50_000));
  const chunkChars = 1_000;
  const intervalMs = 1_000;
  const pacing = { mode: "fixed", chunk_chars: chunkChars, interval_ms: intervalMs };
  /**
   * Shorter than the pause, and longer than the text left to show after it. Bytes that are on their way always arrive
   * before the time is over.
   */
  const idle = { firstByteMs: 70_000, idleMs: 70_000, instantMs: 0 };

  /** Moves the time from chunk to chunk until the whole text is shown. */
  async function showAll(script: Script): Promise<FaultBench> {
    const bench = await createFaultBench(idle);
    bench.double.respond(script);
    bench.ask({ pacing });
    const { client, clock } = bench;
    const whole = long.join("");
    for (let chars = 0; ; await clock.advance(intervalMs)) {
      await bench.until((received) => received.some(isTerminal) || textOf(received).length > chars);
      chars = textOf(client.received).length;
      if (chars === whole.length || client.received.some(isTerminal)) break;
    }
    return bench;
  }

  it("does not count as silence of the upstream, however long it takes", async () => {
    await using bench = await showAll(streamScript(answer({ deltas: long })));
    assert.equal(await endOf(bench, 0), "response");
    assert.equal(textOf(bench.client.received), long.join(""));
  });

  it("does not hide a later silence", async () => {
    const whole = answer({ deltas: long });
    await using bench = await showAll([
      streamHead(),
      ...writes(whole.slice(0, firstDeltaAt + long.length)),
      { hang: true },
    ]);
    assert.equal(await endOf(bench, idle.idleMs), "upstream_stalled");
    assert.equal(textOf(bench.client.received), long.join(""));
  });
});

describe("the cap on the whole turn", () => {
  const turnLimitMs = 15_000;

  it("ends an endless answer, and keeps the text shown", async () => {
    await using bench = await createFaultBench({ turnLimitMs });
    bench.double.respond([streamHead(), ...writes(opening), { hang: true }]);
    bench.ask({ pacing: { mode: "raw" } });
    await seeChunks(bench, 1);
    // One beat of the time has gone to the rhythm.
    await passes(bench, turnLimitMs - 2 * beatMs);
    assert.equal(await endOf(bench, 2 * beatMs), "turn_timeout");
    assert.equal(textOf(bench.client.received), deltas[0]);
    await bench.double.closed(await bench.double.received(1));
  });

  it("ends a pause before a retry", async () => {
    await using bench = await createFaultBench({ turnLimitMs });
    bench.double.respond(httpError(503, "", { "retry-after": "20" }));
    bench.ask();
    await bench.client.next((message) => message.type === "status" && message.detail !== undefined);
    assert.equal(await endOf(bench, turnLimitMs), "turn_timeout");
    await bench.clock.advance(turnLimitMs);
    await passLoopTurns();
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
    await seeChunks(bench, persona_ids.length);
    assert.equal(await endOf(bench, turnLimitMs), "turn_timeout");
    const ended = bench.client.received.flatMap((message) =>
      message.type === "persona_response" ? [[message.status, message.error?.code, message.response]] : [],
    );
    const expected = ["failed", "turn_timeout", deltas[0]];
    assert.deepEqual(ended, [expected, expected]);
    for (const call of bench.double.requests) await bench.double.closed(call);
  });
});
