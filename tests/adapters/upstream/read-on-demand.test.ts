import assert from "node:assert/strict";
import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { describe, it } from "node:test";
import { setImmediate as nextImmediate } from "node:timers/promises";
import { ChunkSkimmer } from "../../../src/adapters/upstream/chunk-skimmer.ts";
import { OnDemandReader } from "../../../src/adapters/upstream/read-on-demand.ts";
import { readBody } from "./read-body.ts";

async function passLoopTurns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await nextImmediate();
}

/** An answer under way, and its sender. */
async function setUp() {
  const sender = Promise.withResolvers<http.ServerResponse>();
  const server = http.createServer((_request, response) => sender.resolve(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const agent = new http.Agent({ keepAlive: true });
  const request = http.get({ agent, port: (server.address() as AddressInfo).port });
  const [socket] = (await once(request, "socket")) as [Socket];
  const skimmer = new ChunkSkimmer(socket);
  const response = await sender.promise;
  response.write("head");
  const [message] = (await once(request, "response")) as [IncomingMessage];
  skimmer.accept(message);
  return {
    response,
    message,
    pieces: readBody((sink) => new OnDemandReader({ stream: message, skimmer, sink })),
    [Symbol.dispose]() {
      agent.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}

const textOf = ({ value }: IteratorResult<Uint8Array>) => Buffer.from(value ?? []).toString();

describe("reading on demand", () => {
  it("reads nothing while nobody asks, and then all that came as one, however often", async () => {
    using at = await setUp();
    const { socket } = at.message;
    assert.equal(textOf(await at.pieces.next()), "head");
    for (let round = 0; round < 3; round += 1) {
      // Node has its chance to begin again by itself.
      await passLoopTurns();
      const { bytesRead } = socket;
      for (const word of ["one ", "two ", "three"]) {
        at.response.write(word);
        await passLoopTurns();
      }
      assert.equal(socket.bytesRead, bytesRead);
      assert.equal(textOf(await at.pieces.next()), "one two three");
    }
  });

  it("waits for what has not come, and ends with the answer", async () => {
    using at = await setUp();
    await at.pieces.next();
    const asked = at.pieces.next();
    await passLoopTurns();
    at.response.end("late");
    assert.equal(textOf(await asked), "late");
    assert.deepEqual(await at.pieces.next(), { done: true, value: undefined });
  });

  it("gives what came before a break, and then fails", async () => {
    using at = await setUp();
    await at.pieces.next();
    at.response.write("last");
    await passLoopTurns();
    at.response.destroy();
    await passLoopTurns();
    assert.equal(textOf(await at.pieces.next()), "last");
    await assert.rejects(at.pieces.next(), { code: "ECONNRESET" });
  });

  it("left before the end, lets the rest go by, so that the connection can serve another call", async () => {
    using at = await setUp();
    await at.pieces.next();
    await at.pieces.return(undefined);
    const { message } = at;
    const { socket } = message;
    const ended = once(message, "end");
    at.response.end("x".repeat(500_000));
    await ended;
    assert.equal(socket.destroyed, false);
    assert.ok(socket.bytesRead > 500_000);
  });
});
