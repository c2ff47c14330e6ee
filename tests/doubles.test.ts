import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextImmediate } from "node:timers/promises";
import { callText, createRawClient, type RawClient } from "./doubles/raw-client.ts";
import { createGate, type Script, splitAt, splitEvery } from "./doubles/script.ts";
import { httpError, streamHead, streamScript } from "./doubles/stream-script.ts";
import { createUpstreamDouble } from "./doubles/upstream-double.ts";

const untilClose = streamHead({ framing: "until-close" });

/** Waits enough turns of the event loop for bytes sent on this machine to arrive. */
async function passLoopTurns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await nextImmediate();
}

/** Calls with a raw client. The first packet that it gets is the head of the answer. */
async function call(baseUrl: string, body: object = {}): Promise<RawClient> {
  const client = await createRawClient(baseUrl);
  await client.send(callText(body));
  return client;
}

async function post(baseUrl: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const init = { method: "POST", body: JSON.stringify(body) };
  return fetch(`${baseUrl}/responses`, signal === undefined ? init : { ...init, signal });
}

describe("recording in the double", () => {
  it("reads a request that arrives in packets of one byte", async () => {
    await using double = await createUpstreamDouble({ keepAlive: false });
    using client = await createRawClient(double.baseUrl);
    const body = { model: "gpt-4o-mini", input: "naïve 😀" };
    for (const piece of splitEvery(callText(body), 1)) await client.send(piece);
    const request = await double.received(1);
    assert.equal(request.method, "POST");
    assert.equal(request.path, "/v1/responses");
    assert.equal(request.headers.authorization, "Bearer key-of-a-test");
    assert.equal(request.headers["x-twice"], "one, two");
    assert.deepEqual(request.body, body);
    assert.match(await client.rest(), /^HTTP\/1\.1 200 OK\r\n/);
  });

  it("reads a body in chunks, and keeps one that is not JSON as text", async () => {
    await using double = await createUpstreamDouble();
    using client = await createRawClient(double.baseUrl);
    const head = "POST /v1/responses HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const piece of [head, "5\r\nnot J", "\r", "\n3;x=y\r\nSON\r\n0\r", "\n\r\n"])
      await client.send(piece);
    assert.equal((await double.received(1)).body, "not JSON");
  });

  it("counts calls from the first and gives each to the responder in order", async () => {
    await using double = await createUpstreamDouble();
    double.respond((request, index) => httpError(400 + index, `${index} ${JSON.stringify(request.body)}`));
    const second = double.received(2);
    const first = await post(double.baseUrl, "a");
    assert.deepEqual([first.status, await first.text()], [400, '0 "a"']);
    const answer = await post(double.baseUrl, "b");
    assert.deepEqual([answer.status, await answer.text()], [401, '1 "b"']);
    assert.equal(await second, double.requests[1]);
    assert.ok((await second).receivedAtMs >= (await double.received(1)).receivedAtMs);
  });

  it("says how many bytes were sent and that the answer was whole", async () => {
    await using double = await createUpstreamDouble({ keepAlive: false });
    double.respond([untilClose, { write: "ab" }, { write: "cd" }]);
    using client = await call(double.baseUrl);
    const received = await client.rest();
    const [request] = double.requests;
    assert.ok(request);
    client.socket.end();
    await double.closed(request);
    assert.ok(received.endsWith("\r\n\r\nabcd"));
    assert.equal(request.bytesWritten, received.length);
    assert.equal(request.finished, true);
    assert.ok((request.closedAtMs ?? 0) >= request.receivedAtMs);
  });
});

describe("sending from the double", () => {
  it("answers by default with a stream for the model that was asked", async () => {
    await using double = await createUpstreamDouble();
    const answer = await post(double.baseUrl, { model: "m-1", previous_response_id: "resp_0" });
    assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const text = await answer.text();
    assert.match(text, /^event: response\.created\ndata: \{"type":"response\.created","sequence_number":0,/);
    assert.match(text, /"id":"resp_1"/);
    assert.match(text, /"model":"m-1"/);
    assert.match(text, /"previous_response_id":"resp_0"/);
  });

  it("keeps the connection for the next call, or gives each its own", async () => {
    await using keeping = await createUpstreamDouble();
    keeping.respond(streamScript(["a"]));
    using client = await call(keeping.baseUrl);
    await client.send(callText({}));
    await keeping.received(2);
    assert.equal(keeping.openConnections(), 1);

    await using closing = await createUpstreamDouble({ keepAlive: false });
    using other = await call(closing.baseUrl);
    assert.match(await other.rest(), /\r\nconnection: close\r\n.*\r\n0\r\n\r\n$/s);
  });

  it("sends each write as a packet of its own, cut at any byte", async () => {
    await using double = await createUpstreamDouble();
    const pieces = splitEvery("雨 😀", 1);
    const gated = pieces.map((write) => ({ write, gate: createGate() }));
    double.respond([
      untilClose,
      ...gated.flatMap(({ write, gate }) => [{ waitFor: gate.opened }, { write }]),
    ]);
    using client = await call(double.baseUrl);
    assert.match(String(await client.next()), /^HTTP.*\r\n\r\n$/s);
    for (const { write, gate } of gated) {
      gate.open();
      assert.deepEqual(await client.next(), Buffer.from(write));
    }
    assert.equal(await client.next(), undefined);
  });

  it("frames a chunked body, and lets raw bytes break the framing", async () => {
    await using double = await createUpstreamDouble();
    double.respond([streamHead(), { write: "é" }, { write: "" }, { writeRaw: "1\r" }, { fin: true }]);
    using client = await call(double.baseUrl);
    assert.match(await client.rest(), /\r\ntransfer-encoding: chunked\r\n\r\n2\r\né\r\n1\r$/);
    assert.equal(double.requests[0]?.finished, false);
  });

  it("waits for a gate as long as it is shut", async () => {
    await using double = await createUpstreamDouble();
    const gate = createGate();
    double.respond([untilClose, { write: "before" }, { waitFor: gate.opened }, { write: "after" }]);
    using client = await call(double.baseUrl);
    await client.next();
    assert.equal(String(await client.next()), "before");
    await passLoopTurns();
    assert.equal(client.unread(), 0);
    assert.equal(double.openConnections(), 1);
    gate.open();
    assert.equal(String(await client.next()), "after");
  });

  it("stalls for good, until the client leaves", async () => {
    await using double = await createUpstreamDouble();
    double.respond([streamHead(), { write: "a" }, { hang: true }, { write: "never" }]);
    const leave = new AbortController();
    const answer = await post(double.baseUrl, {}, leave.signal);
    const reader = answer.body?.getReader();
    assert.deepEqual((await reader?.read())?.value, Uint8Array.of(97));
    const [request] = double.requests;
    assert.ok(request);
    const written = request.bytesWritten;
    await passLoopTurns();
    assert.equal(request.bytesWritten, written);
    assert.equal(request.closedAtMs, undefined);
    leave.abort();
    await double.closed(request);
    assert.equal(request.finished, false);
    assert.equal(double.openConnections(), 0);
  });

  it("resets the connection", async () => {
    await using double = await createUpstreamDouble();
    double.respond([untilClose, { write: "a" }, { reset: true }]);
    using client = await call(double.baseUrl);
    await assert.rejects(client.rest(), { code: "ECONNRESET" });
    assert.equal(double.requests[0]?.finished, false);
    // In a body without a length, `fetch` takes a reset for its end, so this body is chunked.
    double.respond([streamHead(), { write: "a" }, { reset: true }]);
    const answer = await post(double.baseUrl, {});
    await assert.rejects(answer.text(), (error: Error) => {
      return error.cause instanceof Error && "code" in error.cause && error.cause.code === "ECONNRESET";
    });
  });
});

describe("a client that leaves", () => {
  const endless: Script = [untilClose, { repeat: [{ write: "x" }] }];

  it("stops the script at any wait", async () => {
    await using double = await createUpstreamDouble();
    const scripts: Script[] = [
      [{ hang: true }],
      [{ delayMs: 3_600_000 }],
      [{ waitFor: createGate().opened }],
      endless,
    ];
    double.respond((_request, index) => scripts[index] ?? []);
    for (const count of scripts.keys()) {
      using client = await call(double.baseUrl);
      const request = await double.received(count + 1);
      client.socket.destroy();
      await double.closed(request);
      assert.equal(request.finished, false);
    }
    assert.equal(double.openConnections(), 0);
  });

  it("gets nothing more after its FIN, unless the script ignores that", async () => {
    await using double = await createUpstreamDouble();
    const gate = createGate();
    const steps: Script = [untilClose, { waitFor: gate.opened }, { write: "late" }];
    double.respond((_request, index) => (index === 0 ? steps : [{ ignoreAbort: true }, ...steps]));
    using polite = await call(double.baseUrl);
    await polite.next();
    polite.socket.end();
    assert.equal(await polite.rest(), "");

    using ignored = await call(double.baseUrl);
    await ignored.next();
    ignored.socket.end();
    await double.closed(await double.received(2));
    gate.open();
    assert.equal(await ignored.rest(), "late");
  });

  it("ends even a script that ignores it, once the kernel refuses the bytes", async () => {
    const double = await createUpstreamDouble();
    double.respond([{ ignoreAbort: true }, ...endless]);
    const client = await call(double.baseUrl);
    await client.next();
    client.socket.destroy();
    await double.closed(await double.received(1));
    await double[Symbol.asyncDispose]();
    const [request] = double.requests;
    assert.equal(request?.finished, false);
  });
});

describe("around the calls", () => {
  it("answers the side routes by itself", async () => {
    await using double = await createUpstreamDouble({ models: ["m-1", "m-2"] });
    const list: { data: { id: string }[] } = JSON.parse(
      await (await fetch(`${double.baseUrl}/models`)).text(),
    );
    assert.deepEqual(
      list.data.map(({ id }) => id),
      ["m-1", "m-2"],
    );
    const cancelled = await fetch(`${double.baseUrl}/responses/resp_7/cancel`, { method: "POST" });
    assert.match(await cancelled.text(), /^\{"id":"resp_7".*"status":"cancelled"/);
    assert.equal((await fetch(`${double.baseUrl}/nothing`)).status, 404);
    assert.equal(double.sideRequests.length, 3);
    assert.equal(double.requests.length, 0);
  });

  it("hangs up on a peer that does not speak HTTP", async () => {
    await using double = await createUpstreamDouble();
    using client = await createRawClient(double.baseUrl);
    await client.send(Uint8Array.of(22, 3, 1, 2, 0));
    assert.equal(await client.next(), undefined);
  });

  it("reports a broken script when it is disposed", async () => {
    for (const script of [[{ write: "no head" }], () => assert.fail("no such call")]) {
      const double = await createUpstreamDouble();
      double.respond(script);
      await assert.rejects(post(double.baseUrl, {}));
      await assert.rejects(async () => double[Symbol.asyncDispose](), AggregateError);
    }
  });

  it("cuts bytes at the given places", () => {
    assert.deepEqual(splitEvery("abcde", 2).map(String), ["ab", "cd", "e"]);
    const cut = splitAt("é!", [1, 2]).map((piece) => Buffer.from(piece).toString("hex"));
    assert.deepEqual(cut, ["c3", "a9", "21"]);
    assert.throws(() => splitAt("ab", [1, 1]), RangeError);
    assert.throws(() => splitAt("ab", [2]), RangeError);
    assert.throws(() => splitEvery("ab", 0), RangeError);
  });
});
