import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { wireLimits } from "../../src/protocol/limits.ts";
import { type FrameParts, frameBytes, openRawSocket, type RawSocket } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const ping = JSON.stringify({ type: "ping", id: "p" });
const pongFrame = { opcode: 10, payload: "still here" } satisfies FrameParts;
const textFrame = { opcode: 1, payload: ping } satisfies FrameParts;
const begun = { opcode: 1, payload: "{", fin: false } satisfies FrameParts;
const rest = { opcode: 0, payload: ping.slice(1) } satisfies FrameParts;
/** Much longer than the time after which pings would drop a peer. */
const pingMs = 600_000;

const start = async () => {
  const clock = createTestClock();
  return { clock, server: await startTroupe({ clock, pingMs }) };
};

/** Settles when the server has handled everything that was sent before. */
async function handled(socket: RawSocket): Promise<void> {
  await socket.send({ opcode: 9, payload: "mark" });
  for (;;) {
    const frame = await socket.next();
    assert.ok(frame !== undefined, "the connection has ended");
    if (frame.opcode === 10 && frame.payload.toString() === "mark") return;
  }
}

const unfinished: Readonly<Record<string, readonly (FrameParts | Uint8Array)[]>> = {
  "a fragment": [begun],
  "fragments with pongs between them": [begun, pongFrame, { opcode: 0, fin: false, payload: "x" }, pongFrame],
  "half of a large frame": [frameBytes({ opcode: 1, payload: "x".repeat(900_000) }).subarray(0, 500_000)],
  "a head without its frame": [frameBytes(textFrame).subarray(0, 3)],
  "one byte after a whole message": [textFrame, frameBytes(textFrame).subarray(0, 1)],
  "half of a pong": [frameBytes(pongFrame).subarray(0, 8)],
};

describe("a message that has started", () => {
  for (const [name, frames] of Object.entries(unfinished)) {
    it(`closes its connection with 1008 when it does not end in time: ${name}`, async () => {
      const { clock, server } = await start();
      await using _ = server;
      using socket = await openRawSocket(server.httpUrl);
      using other = await openRawSocket(server.httpUrl);
      await socket.send(...frames);
      await other.send(textFrame);
      for (let turns = 0; turns < 200; turns += 1) await nextLoopTurn();
      await clock.advance(wireLimits.messageMs - 1);
      await handled(other);
      assert.equal(server.troupe.stats().connections, 2);
      await clock.advance(1);
      const ended = socket.end();
      await clock.advance(1_000);
      assert.equal((await ended).code, 1008);
      await handled(other);
    });
  }

  it("may take its time otherwise, and each has a time of its own", async () => {
    const { clock, server } = await start();
    await using _ = server;
    using socket = await openRawSocket(server.httpUrl);
    for (let count = 0; count < 5; count += 1) {
      await socket.send(begun);
      await handled(socket);
      await clock.advance(wireLimits.messageMs - 1);
      await socket.send(pongFrame, rest);
      await handled(socket);
      const large = frameBytes({ opcode: 1, payload: ping.padEnd(100_000) });
      for (const part of [large.subarray(0, 9), large.subarray(9, 60_000), large.subarray(60_000)])
        await socket.send(part);
      await handled(socket);
      await clock.advance(wireLimits.messageMs * 2);
    }
    await handled(socket);
  });

  it("has its own time even if it starts with the end of the one before it", async () => {
    const { clock, server } = await start();
    await using _ = server;
    using socket = await openRawSocket(server.httpUrl);
    await socket.send(begun);
    for (let count = 0; count < 3; count += 1) {
      await handled(socket);
      await clock.advance(wireLimits.messageMs - 1);
      await socket.send(rest, begun);
    }
    await handled(socket);
  });
});
