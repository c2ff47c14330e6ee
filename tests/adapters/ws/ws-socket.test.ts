import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { WsSocket } from "../../../src/adapters/ws/ws-socket.ts";

/** Both ends of a connection, and the messages that the client received. */
async function setUp(isCutOff?: () => boolean) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(server, "listening");
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const received: string[] = [];
  client.on("message", (data, isBinary) => received.push(isBinary ? "binary" : data.toString()));
  client.on("ping", () => received.push("ping"));
  const opened = once(client, "open");
  const [socket, request] = (await once(server, "connection")) as [WebSocket, IncomingMessage];
  await opened;
  return {
    port: new WsSocket(socket, request.socket, isCutOff),
    socket,
    client,
    received,
    closed: once(client, "close"),
    [Symbol.dispose]: () => server.close(),
  };
}

/** Writes the texts and settles with the write's result. */
function send(port: WsSocket, texts: readonly string[]): Promise<Error | null | undefined> {
  return new Promise((resolve) => {
    let hasReturned = false;
    const isTaken = port.send(texts, (cause) => {
      assert.ok(hasReturned, "It was told before there was anything to tell of.");
      resolve(cause);
    });
    hasReturned = true;
    if (isTaken) resolve(undefined);
  });
}

const much = "x".repeat(500_000);

/** Sends until the operating system takes no more. Returns the number of writes, and the result of the last one. */
function fill(port: WsSocket) {
  for (let times = 1; ; times += 1) {
    let told = 0;
    const { promise, resolve } = Promise.withResolvers<Error | null | undefined>();
    const isTaken = port.send([much], (cause) => {
      told += 1;
      resolve(cause);
    });
    if (!isTaken) return { times, told: () => told, taken: promise };
  }
}

describe("a socket over ws", () => {
  it("sends texts as they are, at every width of a frame's length, in bytes and not in characters", async () => {
    using at = await setUp();
    const texts = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000].map((length) => "x".repeat(length));
    texts.push("雨".repeat(42), "👩‍🚀".repeat(30_000), "é");
    assert.equal((await send(at.port, texts)) ?? undefined, undefined);
    at.port.close("restarting");
    await at.closed;
    assert.deepEqual(at.received, texts);
  });

  it("sends nothing while the server is cut off", async () => {
    using at = await setUp(() => true);
    assert.match(String(await send(at.port, ["one"])), /The connection is closing/);
    at.port.close("restarting");
    await at.closed;
    assert.deepEqual(at.received, []);
  });

  it("keeps its place among the frames that ws sends itself", async () => {
    using at = await setUp();
    void send(at.port, ["one", "two"]);
    at.socket.ping();
    void send(at.port, ["three"]);
    at.port.close("restarting");
    const [code] = await at.closed;
    assert.deepEqual([at.received, code], [["one", "two", "ping", "three"], 1012]);
  });

  it("reports once that a delayed write was taken, when its peer has read on", async () => {
    using at = await setUp();
    at.client.pause();
    const { times, told, taken } = fill(at.port);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(told(), 0);
    at.client.resume();
    assert.equal((await taken) ?? undefined, undefined);
    at.port.close("restarting");
    await at.closed;
    assert.equal(at.received.length, times);
    assert.ok(at.received.every((text) => text === much));
    assert.equal(told(), 1);
  });

  it("reports that a delayed write will never be taken, when the connection breaks", async () => {
    using at = await setUp();
    at.client.pause();
    const { told, taken } = fill(at.port);
    at.client.terminate();
    assert.ok((await taken) instanceof Error);
    assert.equal(told(), 1);
    assert.ok((await send(at.port, ["later"])) instanceof Error);
  });

  it("refuses messages after its close", async () => {
    using at = await setUp();
    at.port.close("restarting");
    assert.ok((await send(at.port, ["late"])) instanceof Error);
    await at.closed;
    assert.ok((await send(at.port, ["later"])) instanceof Error);
    assert.deepEqual(at.received, []);
  });
});
