import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { VendorNames } from "../../../src/adapters/upstream/http-fault.ts";
import { fromPostFault, HttpFault, postJson } from "../../../src/adapters/upstream/post-json.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { plainResponse, streamScript } from "../../doubles/stream-script.ts";
import { setUp, textOf } from "./call-setup.ts";
import { readBody } from "./read-body.ts";

const names: VendorNames = {
  codes: new Map([
    ["overloaded_error", "upstream_overloaded"],
    ["RESOURCE_EXHAUSTED", "rate_limited"],
  ]),
  parameters: new Set(["temperature"]),
};
const sent = { headers: { "x-key": "k" }, body: { question: "雨?" } };

async function faultOf(status: number, body: object | string, headers = {}): Promise<HttpFault> {
  await using at = await setUp();
  at.double.respond(plainResponse(status, body, headers));
  const thrown = await postJson(at.call().fetch, { url: at.url, ...sent }).catch((error: unknown) => error);
  assert.ok(thrown instanceof HttpFault);
  return thrown;
}

function read(thrown: unknown): TroupeError {
  return fromPostFault(thrown, names, 0);
}

describe("a JSON call without an SDK", () => {
  it("sends its headers and its body, and leaves the answer to its reader", async () => {
    await using at = await setUp();
    at.double.respond(streamScript(["data: 雨\n\n"]));
    const call = at.call();
    const answer = await postJson(call.fetch, { url: at.url, ...sent });
    assert.deepEqual([answer.status, await textOf(readBody(call))], [200, "data: 雨\n\n"]);
    const [request] = at.double.requests;
    assert.deepEqual([request?.method, request?.body], ["POST", { question: "雨?" }]);
    const { headers = {} } = request ?? {};
    assert.deepEqual(
      [headers["x-key"], headers["content-type"], headers.accept],
      ["k", "application/json", "text/event-stream"],
    );
  });

  it("throws the status, the headers and the body of another answer", async () => {
    const error = { type: "overloaded_error", message: "Overloaded", param: "p", code: "c" };
    const fault = await faultOf(529, { type: "error", error }, { "retry-after": "3" });
    assert.deepEqual([fault.status, fault.headers.get("retry-after"), fault.error], [529, "3", error]);
    assert.deepEqual(
      [fault.message, fault.type, fault.code, fault.param],
      ["529 Overloaded", error.type, "c", "p"],
    );
    const told = read(fault);
    assert.deepEqual(
      [told.code, told.retryAfterMs, told.safeToRepeat, told.isUnread],
      ["upstream_overloaded", 3_000, true, true],
    );
  });

  it("reads every form of an error's body", async () => {
    const listed = await faultOf(429, [
      { error: { code: 429, message: "Slow", status: "RESOURCE_EXHAUSTED" } },
    ]);
    assert.deepEqual(
      [listed.message, listed.type, read(listed).code],
      ["429 Slow", "RESOURCE_EXHAUSTED", "rate_limited"],
    );
    assert.equal((await faultOf(400, { error: "Bad" })).message, "400 Bad");
    assert.equal((await faultOf(400, { message: "Bad" })).message, "400 Bad");
    const html = await faultOf(502, "<html>");
    assert.deepEqual([html.message, html.error, html.body], ["502 <html>", undefined, "<html>"]);
    assert.equal(read(html).code, "upstream_error");
    const named = await faultOf(400, { error: { message: "temperature: Input is too hot" } });
    assert.deepEqual(
      [read(named).code, read(named).detail],
      ["upstream_invalid_request", "Parameter: temperature."],
    );
  });

  it("reads the pause that only the body asks for, as Google's does", async () => {
    const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34s" }];
    const error = { code: 429, message: "Slow", status: "RESOURCE_EXHAUSTED", details };
    assert.equal(read(await faultOf(429, { error })).retryAfterMs, 34_000);
    assert.equal(read(await faultOf(429, { error }, { "retry-after": "3" })).retryAfterMs, 3_000);
  });

  it("knows Google's words for a text that is too long", async () => {
    const message = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
    const error = { code: 400, message, status: "INVALID_ARGUMENT" };
    assert.equal(read(await faultOf(400, { error })).code, "context_length_exceeded");
  });

  it("closes the connection at an abort", async () => {
    await using at = await setUp();
    at.double.respond([{ hang: true }]);
    const controller = new AbortController();
    const { signal } = controller;
    const ended = assert.rejects(postJson(at.call().fetch, { url: at.url, ...sent, signal }));
    const request = await at.double.received(1);
    controller.abort();
    await ended;
    await at.double.closed(request);
  });

  it("passes on an error without an answer", async () => {
    await using at = await setUp();
    const { url } = at;
    await at.double[Symbol.asyncDispose]();
    const told = await postJson(at.call().fetch, { url, ...sent }).catch(read);
    assert.ok(told instanceof TroupeError);
    assert.deepEqual([told.code, told.isUnread], ["upstream_unreachable", true]);
  });
});
