import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { createUpstreamAgents, HttpCall } from "../../../src/adapters/upstream/upstream-call.ts";
import { createProxyDouble } from "../../doubles/proxy-double.ts";
import { createGate } from "../../doubles/script.ts";
import { streamHead, streamScript } from "../../doubles/stream-script.ts";
import { until } from "../../support/until.ts";
import { passLoopTurns, post, setUp, textOf } from "./call-setup.ts";
import { readBody } from "./read-body.ts";

/** Bytes that do not compress, the same in every run. */
const incompressible = Array.from({ length: 8_000 }, (_, index) =>
  createHash("sha256").update(`${index}`).digest(),
);

describe("the connection of an upstream call", () => {
  it("is gone when close settles, at any moment", async () => {
    await using at = await setUp();
    at.double.respond([{ hang: true }]);
    const beforeHead = at.call();
    const failing = assert.rejects(beforeHead.fetch(at.url, post));
    await at.double.received(1);
    await beforeHead.close();
    await failing;
    await until(() => at.double.openConnections() === 0);

    at.double.respond([streamHead(), { write: "data: a\n\n" }, { hang: true }]);
    const inBody = at.call();
    await inBody.fetch(at.url, post);
    const body = readBody(inBody)[Symbol.asyncIterator]();
    await body.next();
    const reading = assert.rejects(body.next());
    await inBody.close();
    await reading;
    await until(() => at.double.openConnections() === 0);
  });

  it("is closed even if the other side goes on sending", async () => {
    await using at = await setUp();
    at.double.respond([{ ignoreAbort: true }, streamHead(), { repeat: [{ write: "data: a\n\n" }] }]);
    const call = at.call();
    await call.fetch(at.url, post);
    await readBody(call)[Symbol.asyncIterator]().next();
    await call.close();
    const [request] = at.double.requests;
    assert.ok(request !== undefined);
    await at.double.closed(request);
  });

  it("is never opened once close was called", async () => {
    await using at = await setUp();
    const call = at.call();
    await call.close();
    await assert.rejects(call.fetch(at.url, post));
    await nextLoopTurn();
    assert.equal(at.double.requests.length, 0);
    assert.equal(at.double.openConnections(), 0);
  });

  it("is closed if the close arrives in the same moment as the fetch", async () => {
    await using at = await setUp();
    at.double.respond([{ hang: true }]);
    const call = at.call();
    const failing = assert.rejects(call.fetch(at.url, post));
    await call.close();
    await failing;
    await until(() => at.double.openConnections() === 0);
  });

  it("may be closed twice, and when all is over", async () => {
    await using at = await setUp();
    at.double.respond(streamScript(["data: a\n\n"]));
    const call = at.call();
    await call.fetch(at.url, post);
    await textOf(readBody(call));
    await Promise.all([call.close(), call.close()]);
    await call.close();
  });

  it("serves the next call once an answer was read to its end", async () => {
    await using at = await setUp();
    for (let count = 0; count < 3; count += 1) {
      at.double.respond(streamScript(["data: a\n\n"]));
      const call = at.call();
      await call.fetch(at.url, post);
      await textOf(readBody(call));
      call.release();
      await until(() => at.idleConnections() === 1);
    }
    assert.equal(at.double.openConnections(), 1);
  });

  it("to a proxy serves the next call as well", async () => {
    await using at = await setUp();
    await using proxy = await createProxyDouble(at.double.baseUrl);
    using agents = createUpstreamAgents({ http: `http://${proxy.host}` });
    const url = "http://provider.example/v1/responses";
    const { freeSockets } = agents.agentFor(new URL(url));
    for (let count = 0; count < 3; count += 1) {
      const call = new HttpCall(agents);
      await call.fetch(url, post);
      await textOf(readBody(call));
      call.release();
      await until(() => Object.values(freeSockets).flat().length === 1);
    }
    assert.deepEqual([proxy.calls.length, proxy.connections], [3, 1]);
  });

  for (const encoding of ["identity", "gzip"]) {
    const text = Buffer.concat([Buffer.from("data: end\n\n"), ...incompressible]);
    const bytes = encoding === "gzip" ? gzipSync(text) : text;

    it(`serves the next call if a released answer ends a little later, ${encoding}`, async (context) => {
      // Keeps the release's time limit from passing on a slow machine.
      context.mock.timers.enable({ apis: ["setTimeout"] });
      await using at = await setUp();
      const gate = createGate();
      at.double.respond([
        streamHead({ headers: { "content-encoding": encoding } }),
        { write: bytes.subarray(0, 200) },
        { waitFor: gate.opened },
        { write: bytes.subarray(200) },
      ]);
      const first = at.call();
      await first.fetch(at.url, post);
      for await (const chunk of readBody(first)) {
        assert.match(String(chunk), /^data: end/);
        break;
      }
      first.release();
      gate.open();
      await until(() => at.idleConnections() === 1);
      await at.call().fetch(at.url, post);
      assert.equal(at.double.openConnections(), 1);
    });

    it(`is closed a second after its release if the answer does not end, ${encoding}`, async (context) => {
      context.mock.timers.enable({ apis: ["setTimeout"] });
      await using at = await setUp();
      at.double.respond([
        streamHead({ headers: { "content-encoding": encoding } }),
        { write: bytes.subarray(0, 200) },
        { hang: true },
      ]);
      const call = at.call();
      await call.fetch(at.url, post);
      for await (const _ of readBody(call)) break;
      call.release();
      context.mock.timers.tick(999);
      await passLoopTurns();
      assert.equal(at.double.openConnections(), 1);
      context.mock.timers.tick(1);
      await until(() => at.double.openConnections() === 0);
    });
  }

  it("is kept if everything had arrived before the release, read or not", async () => {
    await using at = await setUp();
    at.double.respond([{ head: { status: 200, framing: { lengthBytes: 20 } } }, { write: "x".repeat(20) }]);
    const call = at.call();
    await call.fetch(at.url, post);
    await until(() => at.double.requests[0]?.finished === true);
    await passLoopTurns();
    call.read({ onBytes: () => undefined, onEnd: () => undefined, onError: () => undefined });
    call.release();
    await until(() => at.idleConnections() === 1);
    await at.call().fetch(at.url, post);
    assert.equal(at.double.openConnections(), 1);
  });

  it("is not shared by two calls at the same time", async () => {
    await using at = await setUp();
    const gate = createGate();
    at.double.respond([streamHead(), { waitFor: gate.opened }, { write: "data: a\n\n" }]);
    const calls = [at.call(), at.call()];
    await Promise.all(calls.map((call) => call.fetch(at.url, post)));
    assert.equal(at.double.openConnections(), 2);
    gate.open();
    for (const call of calls) assert.equal(await textOf(readBody(call)), "data: a\n\n");
  });
});
