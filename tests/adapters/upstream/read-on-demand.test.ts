import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { describe, it } from "node:test";
import { ChunkSkimmer } from "../../../src/adapters/upstream/fast/fast-reads.ts";
import { type BytesSink, OnDemandReader } from "../../../src/adapters/upstream/read-on-demand.ts";
import { passLoopTurns } from "./call-setup.ts";
import { readBody } from "./read-body.ts";

/** TLS with a shared key (RFC 4279), which needs no certificate. */
const psk = Buffer.from("of a test only");
const shared = { ciphers: "PSK-AES128-GCM-SHA256", maxVersion: "TLSv1.2" } as const;

function listen(isSecure: boolean, onRequest: http.RequestListener) {
  return isSecure
    ? https.createServer({ ...shared, pskCallback: () => psk }, onRequest).listen(0, "127.0.0.1")
    : http.createServer(onRequest).listen(0, "127.0.0.1");
}

function get(isSecure: boolean, port: number) {
  if (!isSecure) {
    const agent = new http.Agent({ keepAlive: true });
    return { agent, request: http.get({ agent, port }) };
  }
  const pskCallback = () => ({ psk, identity: "test" });
  // A client with the key needs no host name.
  const agent = new https.Agent({ keepAlive: true, ...shared, pskCallback, rejectUnauthorized: false });
  return { agent, request: https.get({ agent, port }) };
}

/** An answer in progress, and its sender. */
async function setUp(isSecure: boolean) {
  const sender = Promise.withResolvers<http.ServerResponse>();
  const server = listen(isSecure, (_request, response) => sender.resolve(response));
  await once(server, "listening");
  const { agent, request } = get(isSecure, (server.address() as AddressInfo).port);
  // The reader gets the same error.
  request.on("error", () => undefined);
  const [socket] = (await once(request, "socket")) as [Socket];
  const skimmer = new ChunkSkimmer(socket);
  const response = await sender.promise;
  response.write("head");
  const [message] = (await once(request, "response")) as [IncomingMessage];
  skimmer.accept(message);
  const read = (sink: BytesSink) => new OnDemandReader({ stream: message, skimmer, sink });
  return {
    response,
    message,
    read,
    /** Starts to read at the first request for a piece. */
    pieces: readBody({ read }),
    [Symbol.dispose]() {
      agent.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}

const textOf = ({ value }: IteratorResult<Uint8Array>) => Buffer.from(value ?? []).toString();

for (const isSecure of [false, true])
  describe(`reading on demand, ${isSecure ? "TLS" : "plain"}`, () => {
    it("reads nothing until it is asked, and then everything at once, each time", async () => {
      using at = await setUp(isSecure);
      const { socket } = at.message;
      assert.equal(textOf(await at.pieces.next()), "head");
      for (let round = 0; round < 3; round += 1) {
        // Gives Node a chance to start reading again by itself.
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

    it("waits for bytes that have not arrived, and ends with the answer", async () => {
      using at = await setUp(isSecure);
      await at.pieces.next();
      const asked = at.pieces.next();
      await passLoopTurns();
      at.response.end("late");
      assert.equal(textOf(await asked), "late");
      assert.deepEqual(await at.pieces.next(), { done: true, value: undefined });
    });

    it("yields the bytes before a break, and then fails", async () => {
      using at = await setUp(isSecure);
      await at.pieces.next();
      at.response.write("last");
      await passLoopTurns();
      at.response.destroy();
      await passLoopTurns();
      assert.equal(textOf(await at.pieces.next()), "last");
      await assert.rejects(at.pieces.next(), { code: "ECONNRESET" });
    });

    it("left before the end, lets the rest go by, so that the connection can serve another call", async () => {
      using at = await setUp(isSecure);
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

describe("reading bytes that wait in the system", {
  skip: process.platform === "win32" && "Windows has no descriptors",
}, () => {
  it("gives them to a reader at once", async () => {
    using at = await setUp(false);
    const heard: string[] = [];
    const reader = at.read({
      onBytes: (bytes) => heard.push(Buffer.from(bytes).toString()),
      onEnd: () => heard.push("end"),
      onError: (error) => heard.push(String(error)),
    });
    reader.ask();
    await passLoopTurns();
    at.response.write("one ");
    await passLoopTurns();
    at.response.write("two");
    await passLoopTurns();
    reader.ask();
    assert.deepEqual(heard, ["head", "one two"]);
    at.response.end("three");
    await passLoopTurns();
    reader.ask();
    assert.deepEqual(heard, ["head", "one two", "three"]);
    reader.ask();
    await passLoopTurns();
    assert.deepEqual(heard, ["head", "one two", "three", "end"]);
  });

  it("fails if the other side resets the connection", async () => {
    using at = await setUp(false);
    await at.pieces.next();
    // Reads a second time, because Node itself has read the first piece.
    at.response.write("more");
    await passLoopTurns();
    await at.pieces.next();
    at.response.socket?.resetAndDestroy();
    await passLoopTurns();
    await assert.rejects(at.pieces.next(), { code: "ECONNRESET" });
  });

  it("is hardly tried if there never are any", async (test) => {
    using at = await setUp(false);
    await at.pieces.next();
    const look = test.mock.method(fs, "readSync");
    for (let round = 0; round < 100; round += 1) {
      const asked = at.pieces.next();
      await passLoopTurns();
      at.response.write(`${round}`);
      assert.equal(textOf(await asked), `${round}`);
    }
    const looks = look.mock.callCount();
    assert.ok(looks > 0 && looks < 10, `${looks} of 100`);
  });
});
