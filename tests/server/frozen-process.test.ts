import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answer } from "../doubles/answer.ts";
import { createGate, type Step } from "../doubles/script.ts";
import { streamHead } from "../doubles/stream-script.ts";
import { createFaultBench, type FaultBench, passLoopTurns } from "../faults/fault-bench.ts";
import { openRawSocket } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { isTerminal } from "../support/wire-client.ts";

const deltas = ["So far, ", "so good."];
const events = answer({ deltas });
const firstDeltaAt = events.findIndex((event) => event.startsWith("event: response.output_text.delta"));
const opening = events.slice(0, firstDeltaAt + 1);
const writes = (texts: readonly string[]): Step[] => texts.map((write) => ({ write }));
/** Longer than every limit of the bench. */
const frozenMs = 60_000;
const pacing = { mode: "raw" };

/** Runs only promises. Data that is written meanwhile stays unread in the system's buffers. */
async function withoutReading(): Promise<void> {
  for (let count = 0; count < 200; count += 1) await undefined;
}

async function seeFirstDelta({ client }: FaultBench): Promise<void> {
  await client.next((message) => message.type === "chunk");
  await passLoopTurns();
}

describe("a process that stood still", () => {
  it("reads the first event that arrived meanwhile, and ends a call without one as too late", async () => {
    for (const [waiting, code] of [
      [events, "response"],
      [[": keep-alive\n\n"], "upstream_timeout"],
    ] as const) {
      await using bench = await createFaultBench();
      const gate = createGate();
      // Head and body in one packet, as a fast upstream sends them.
      const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
      bench.double.respond([{ waitFor: gate.opened }, { writeRaw: head + waiting.join("") }, { hang: true }]);
      bench.ask({ pacing });
      await bench.double.received(1);
      await passLoopTurns();
      gate.open();
      await withoutReading();
      await bench.clock.freeze(frozenMs);
      const end = (await bench.untilTerminal()).at(-1);
      assert.equal(end?.type === "error" ? end.code : end?.type, code);
    }
  });

  it("goes on with an answer whose next event arrived meanwhile, and ends one that stalled", async () => {
    for (const [waiting, code] of [
      [events.slice(firstDeltaAt + 1), "response"],
      [[], "upstream_stalled"],
    ] as const) {
      await using bench = await createFaultBench();
      const gate = createGate();
      const script = [streamHead(), ...writes(opening), { waitFor: gate.opened }];
      bench.double.respond([...script, { write: waiting.join("") }, { hang: true }]);
      bench.ask({ pacing });
      await seeFirstDelta(bench);
      gate.open();
      await withoutReading();
      await bench.clock.freeze(frozenMs);
      const end = (await bench.untilTerminal()).at(-1);
      assert.equal(end?.type === "error" ? end.code : end?.type, code);
    }
  });

  it("keeps a socket whose pong arrived meanwhile, and drops a silent one", async () => {
    const pingMs = 1_000;
    for (const isAlive of [true, false]) {
      const clock = createTestClock();
      await using server = await startTroupe({ clock, pingMs });
      using socket = await openRawSocket(server.httpUrl);
      for (let count = 0; count < 2; count += 1) {
        await clock.advance(pingMs);
        assert.equal((await socket.next())?.opcode, 9);
      }
      if (isAlive) void socket.send({ opcode: 10 });
      await clock.freeze(pingMs);
      assert.equal((await socket.next())?.opcode, isAlive ? 9 : 8);
    }
  });

  it("extends the time of the turn, and of clients that want to return, by the time it stood still", async () => {
    for (const [settings, data, code] of [
      [{ turnLimitMs: 15_000 }, {}, "turn_timeout"],
      [{}, { on_disconnect: 15_000 }, undefined],
    ] as const) {
      await using bench = await createFaultBench({ ...settings, idleMs: 500_000, firstByteMs: 500_000 });
      bench.double.respond([streamHead(), ...writes(opening), { hang: true }]);
      bench.ask({ pacing, ...data });
      await seeFirstDelta(bench);
      const call = await bench.double.received(1);
      if (code === undefined) bench.client.terminate();
      await passLoopTurns();
      await bench.clock.freeze(frozenMs);
      await passLoopTurns();
      assert.equal(call.closedAtMs, undefined);
      await bench.clock.advance(14_000);
      await passLoopTurns();
      assert.equal(call.closedAtMs, undefined);
      await bench.clock.advance(2_000);
      await bench.double.closed(call);
      const end = bench.client.received.find(isTerminal);
      assert.equal(end?.type === "error" ? end.code : undefined, code);
    }
  });
});
