import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { splitEvery } from "../../doubles/script.ts";
import { httpError, plainResponse, streamHead, streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { post, setUp, textOf } from "./call-setup.ts";
import { readBody } from "./read-body.ts";

describe("an upstream call", () => {
  it("sends the given request and returns the head and the body separately", async () => {
    await using at = await setUp();
    at.double.respond(streamScript(["data: 雨\n\n", "data: b\n\n"], { headers: { "x-b": "2" } }));
    const call = at.call();
    const response = await call.fetch(at.url, post);
    assert.deepEqual([response.status, response.headers.get("x-b"), await response.text()], [200, "2", ""]);
    assert.equal(await textOf(readBody(call)), "data: 雨\n\ndata: b\n\n");
    const [request] = at.double.requests;
    assert.deepEqual([request?.method, request?.path, request?.body], ["POST", "/v1/responses", { a: 1 }]);
    assert.deepEqual([request?.headers.authorization, request?.headers["x-a"]], ["Bearer secret", "1"]);
  });

  it("yields every packet when it arrives, compressed or not", async () => {
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
      assert.equal(await textOf(readBody(call)), text, encoding);
      await call.close();
    }
  });

  it("fails its reader if compressed bytes are broken", async () => {
    await using at = await setUp();
    at.double.respond([
      streamHead({ headers: { "content-encoding": "gzip" } }),
      { write: "not gzip at all" },
    ]);
    const call = at.call();
    await call.fetch(at.url, post);
    await assert.rejects(textOf(readBody(call)), { code: "Z_DATA_ERROR" });
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

  it("reads the body of an error, compressed or not, and the start of an endless one", async () => {
    await using at = await setUp();
    at.double.respond(httpError(429, { message: "no", type: "t", code: "c" }));
    const response = await at.call().fetch(at.url, post);
    assert.deepEqual(
      [response.status, JSON.parse(await response.text())],
      [429, { error: { message: "no", type: "t", param: null, code: "c" } }],
    );

    at.double.respond([
      { head: { status: 400, headers: { "content-encoding": "gzip" }, framing: "chunked" } },
      { write: gzipSync('{"packed":true}') },
    ]);
    assert.equal(await (await at.call().fetch(at.url, post)).text(), '{"packed":true}');

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

  it("fails if no server listens", async () => {
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
