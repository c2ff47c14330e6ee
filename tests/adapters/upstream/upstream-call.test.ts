import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { createUpstreamAgents, createUpstreamCall } from "../../../src/adapters/upstream/upstream-call.ts";
import { createGate, splitEvery } from "../../doubles/script.ts";
import { httpError, plainResponse, streamHead, streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";

const post = { method: "POST", body: '{"a":1}', headers: { authorization: "Bearer secret", "x-a": "1" } };

async function setUp(keepAlive = true) {
  const double = await createUpstreamDouble({ keepAlive });
  const agents = createUpstreamAgents({});
  return {
    double,
    agents,
    url: `${double.baseUrl}/responses`,
    call: () => createUpstreamCall(agents),
    async [Symbol.asyncDispose]() {
      agents[Symbol.dispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn += 1) {
    if (turn > 10_000) throw new Error("it does not come about");
    await nextLoopTurn();
  }
}

const passLoopTurns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await nextLoopTurn();
};

describe("an upstream call", () => {
  it("sends what it is given and answers with the head, the body apart", async () => {
    await using at = await setUp();
    at.double.respond(streamScript(["data: 雨\n\n", "data: b\n\n"], { headers: { "x-b": "2" } }));
    const call = at.call();
    const response = await call.fetch(at.url, post);
    assert.deepEqual([response.status, response.headers.get("x-b"), response.body], [200, "2", null]);
    assert.equal(await textOf(call.body()), "data: 雨\n\ndata: b\n\n");
    const [request] = at.double.requests;
    assert.deepEqual([request?.method, request?.path, request?.body], ["POST", "/v1/responses", { a: 1 }]);
    assert.deepEqual([request?.headers.authorization, request?.headers["x-a"]], ["Bearer secret", "1"]);
  });

  it("gives every packet when it comes, packed or not", async () => {
    for (const [encoding, pack] of [
      ["identity", (text: string) => Buffer.from(text)],
      ["gzip", gzipSync],
      ["x-gzip", gzipSync],
      ["deflate", deflateSync],
      ["br", brotliCompressSync],
    ] as const) {
      await using at = await setUp();
      const text = "data: naïve 雨 😀\n\n".repeat(500);
      at.double.respond([
        streamHead({ headers: { "content-encoding": encoding } }),
        ...splitEvery(pack(text), 61).map((write) => ({ write })),
      ]);
      const call = at.call();
      await call.fetch(at.url, post);
      assert.equal(await textOf(call.body()), text, encoding);
      await call.close();
    }
  });

  it("fails its reader where packed bytes are broken", async () => {
    await using at = await setUp();
    at.double.respond([
      streamHead({ headers: { "content-encoding": "gzip" } }),
      { write: "not gzip at all" },
    ]);
    const call = at.call();
    await call.fetch(at.url, post);
    await assert.rejects(textOf(call.body()), { code: "Z_DATA_ERROR" });
    await call.close();
  });

  it("does not follow a redirect", async () => {
    await using elsewhere = await createUpstreamDouble();
    await using at = await setUp();
    for (const status of [301, 302, 303, 307, 308]) {
      at.double.respond(plainResponse(status, "", { location: `${elsewhere.baseUrl}/responses` }));
      const response = await at.call().fetch(at.url, post);
      assert.equal(response.status, status);
    }
    assert.equal(elsewhere.requests.length, 0);
  });

  it("reads the body of an error, packed or not, and of an endless one the beginning", async () => {
    await using at = await setUp();
    at.double.respond(httpError(429, { message: "no", type: "t", code: "c" }));
    const response = await at.call().fetch(at.url, post);
    assert.deepEqual(
      [response.status, await response.json()],
      [429, { error: { message: "no", type: "t", param: null, code: "c" } }],
    );

    at.double.respond([
      { head: { status: 400, headers: { "content-encoding": "gzip" }, framing: "chunked" } },
      { write: gzipSync('{"packed":true}') },
    ]);
    assert.deepEqual(await (await at.call().fetch(at.url, post)).json(), { packed: true });

    at.double.respond([
      { head: { status: 500, framing: "chunked" } },
      { repeat: [{ write: "x".repeat(10_000) }] },
    ]);
    const endless = await at.call().fetch(at.url, post);
    assert.equal((await endless.text()).length, 65_536);
    const [, , request] = at.double.requests;
    assert.ok(request !== undefined);
    await at.double.closed(request);
  });

  it("fails where nothing listens", async () => {
    await using at = await setUp();
    const { url } = at;
    await at.double[Symbol.asyncDispose]();
    await assert.rejects(at.call().fetch(url, post));
  });

  it("is ended by the signal of its fetch, before and while it waits", async () => {
    await using at = await setUp();
    await assert.rejects(
      at.call().fetch(at.url, { ...post, signal: AbortSignal.abort(new Error("early")) }),
      /early/,
    );
    assert.equal(at.double.requests.length, 0);
    at.double.respond([{ hang: true }]);
    const controller = new AbortController();
    const waiting = assert.rejects(at.call().fetch(at.url, { ...post, signal: controller.signal }));
    const request = await at.double.received(1);
    controller.abort();
    await waiting;
    await at.double.closed(request);
  });
});

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
    const body = inBody.body()[Symbol.asyncIterator]();
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
    await call.body()[Symbol.asyncIterator]().next();
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

  it("is closed by a close that comes in the same moment as the fetch", async () => {
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
    await textOf(call.body());
    await Promise.all([call.close(), call.close()]);
    await call.close();
  });

  it("serves the next call once an answer was read to its end", async () => {
    await using at = await setUp();
    for (let count = 0; count < 3; count += 1) {
      at.double.respond(streamScript(["data: a\n\n"]));
      const call = at.call();
      await call.fetch(at.url, post);
      await textOf(call.body());
      call.release();
      await nextLoopTurn();
    }
    assert.equal(at.double.openConnections(), 1);
  });

  for (const encoding of ["identity", "gzip"]) {
    const pack = (text: string) => (encoding === "gzip" ? gzipSync(text) : Buffer.from(text));

    it(`serves the next call where a released answer ends a little later, ${encoding}`, async () => {
      await using at = await setUp();
      const gate = createGate();
      const bytes = pack(`data: end\n\n${"late ".repeat(50_000)}`);
      at.double.respond([
        streamHead({ headers: { "content-encoding": encoding } }),
        { write: bytes.subarray(0, 200) },
        { waitFor: gate.opened },
        { write: bytes.subarray(200) },
      ]);
      const first = at.call();
      await first.fetch(at.url, post);
      for await (const chunk of first.body()) {
        assert.match(String(chunk), /^data: end/);
        break;
      }
      first.release();
      gate.open();
      await until(() => at.double.requests[0]?.finished === true);
      await passLoopTurns();
      assert.equal(at.double.openConnections(), 1);
      await at.call().fetch(at.url, post);
      assert.equal(at.double.openConnections(), 1);
    });

    it(`is closed a second after its release where the answer does not end, ${encoding}`, async (context) => {
      context.mock.timers.enable({ apis: ["setTimeout"] });
      await using at = await setUp();
      at.double.respond([
        streamHead({ headers: { "content-encoding": encoding } }),
        { write: pack(`data: end\n\n${"late ".repeat(50_000)}`).subarray(0, 200) },
        { hang: true },
      ]);
      const call = at.call();
      await call.fetch(at.url, post);
      for await (const _ of call.body()) break;
      call.release();
      context.mock.timers.tick(999);
      await passLoopTurns();
      assert.equal(at.double.openConnections(), 1);
      context.mock.timers.tick(1);
      await until(() => at.double.openConnections() === 0);
    });
  }

  it("is kept where all had come before the release, read or not", async () => {
    await using at = await setUp();
    at.double.respond([{ head: { status: 200, framing: { lengthBytes: 20 } } }, { write: "x".repeat(20) }]);
    const call = at.call();
    await call.fetch(at.url, post);
    await until(() => at.double.requests[0]?.finished === true);
    await passLoopTurns();
    call.body();
    call.release();
    await passLoopTurns();
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
    for (const call of calls) assert.equal(await textOf(call.body()), "data: a\n\n");
  });
});
