import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { beatMs } from "../../src/chat/pacing/pace.ts";
import type { Provider } from "../../src/ports/provider.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import type { Script } from "../doubles/script.ts";
import { httpError, streamHead, streamScript } from "../doubles/stream-script.ts";
import { isTerminal, textOf } from "../support/wire-client.ts";
import { createFaultBench, passLoopTurns } from "./fault-bench.ts";

const text = "Here it is, once.";
const good = streamScript(answer({ text }));
const [created = ""] = answer();
/** The maximum pause that the server waits for. */
const maxPauseMs = 20_000;
/** Pauses pass by themselves. These tests do not cover watchdogs. */
const quick = { instantMs: maxPauseMs, firstByteMs: 100_000, idleMs: 100_000 };

function rateLimited(headers: Readonly<Record<string, string>> = {}): Script {
  const error = { message: "Slower.", type: "rate_limit_error", code: "rate_limit_exceeded" };
  return httpError(429, error, headers);
}

function retriesIn(messages: readonly ServerMessage[]) {
  return messages.flatMap((message) =>
    message.type === "status" && message.detail !== undefined ? [message] : [],
  );
}

/** Two failures with these headers, then an answer. Returns the announced pauses. */
async function pausesFor(headers: (wallTimeMs: number) => Record<string, string>): Promise<number[]> {
  await using bench = await createFaultBench(quick);
  bench.double.respond((_request, index) =>
    index < 2 ? rateLimited(headers(bench.clock.wallTimeMs())) : good,
  );
  bench.ask();
  const messages = await bench.untilTerminal();
  assert.equal(messages.at(-1)?.type, "response");
  assert.equal(textOf(messages), text);
  assert.equal(bench.double.requests.length, 3);
  return retriesIn(messages).map(({ detail }) => detail?.delay_ms ?? Number.NaN);
}

describe("the pause before a retry", () => {
  const ownPausesMs = [500, 1_000];
  const inDate = (ms: number) => (wallTimeMs: number) => ({
    "retry-after": new Date(wallTimeMs + ms).toUTCString(),
  });
  const cases: [string, (wallTimeMs: number) => Record<string, string>, number[]][] = [
    ["none is asked for: the server's own, doubled", () => ({}), ownPausesMs],
    ["in seconds", () => ({ "retry-after": "7" }), [7_000, 7_000]],
    ["in milliseconds, which wins", () => ({ "retry-after": "7", "retry-after-ms": "250" }), [250, 250]],
    ["none at all", () => ({ "retry-after": "0" }), [0, 0]],
    ["the longest that is waited for", () => ({ "retry-after": "20" }), [20_000, 20_000]],
    ["until a date", inDate(5_000), [5_000, 5_000]],
    ["until a date that is over: the server's own", inDate(-60_000), ownPausesMs],
    ["garbage: the server's own", () => ({ "retry-after": "soon" }), ownPausesMs],
    ["negative: the server's own", () => ({ "retry-after": "-5" }), ownPausesMs],
    ["an unreadable figure: the server's own", () => ({ "retry-after": "1e3" }), ownPausesMs],
  ];
  for (const [name, headers, expected] of cases) {
    it(name, async () => assert.deepEqual(await pausesFor(headers), expected));
  }

  for (const seconds of [21, 3_600]) {
    it(`is not waited for if ${seconds} s are asked for: the client is told at once`, async () => {
      await using bench = await createFaultBench();
      bench.double.respond(rateLimited({ "retry-after": String(seconds) }));
      bench.ask();
      const messages = await bench.untilTerminal();
      const last = messages.at(-1);
      assert.ok(last?.type === "error");
      assert.equal(last.code, "rate_limited");
      assert.equal(last.retryable, true);
      assert.equal(last.retry_after_ms, seconds * 1_000);
      assert.equal(bench.double.requests.length, 1);
      assert.deepEqual(retriesIn(messages), []);
    });
  }

  it("is kept: the second call is made when it is over and no earlier", async () => {
    await using bench = await createFaultBench({ instantMs: 0 });
    bench.double.respond((_request, index) => (index === 0 ? rateLimited({ "retry-after": "2" }) : good));
    bench.ask({ pacing: { mode: "raw" } });
    await bench.client.next((message) => message.type === "status" && message.detail !== undefined);
    await bench.clock.advance(1_999);
    await passLoopTurns();
    assert.equal(bench.double.requests.length, 1);
    await bench.clock.advance(1);
    await bench.double.received(2);
    await bench.client.next((message) => message.type === "chunk");
    // Text after the first piece is read with the next beat.
    while (!bench.client.received.some(isTerminal)) await bench.clock.advance(beatMs);
    assert.equal(textOf(bench.client.received), text);
  });

  it("ends with a cancel", async () => {
    await using bench = await createFaultBench({ instantMs: 0 });
    bench.double.respond(rateLimited({ "retry-after": "20" }));
    bench.ask();
    await bench.client.next((message) => message.type === "status" && message.detail !== undefined);
    bench.client.send({ type: "cancel", data: { request_id: "asked" } });
    const last = (await bench.untilTerminal()).at(-1);
    assert.ok(last?.type === "response" && last.status === "cancelled");
    await bench.clock.advance(maxPauseMs);
    await passLoopTurns();
    assert.equal(bench.double.requests.length, 1);
  });
});

describe("a retry", () => {
  it("is announced as processing, with its number, its pause and the reason", async () => {
    await using bench = await createFaultBench(quick);
    const failures = [
      httpError(503, { message: "Busy.", type: "x", code: "server_is_overloaded" }),
      [{ reset: true }] as const,
    ];
    bench.double.respond((_request, index) => failures[index] ?? good);
    bench.ask();
    const messages = await bench.untilTerminal();
    assert.deepEqual(
      messages.flatMap((message) => (message.type === "status" ? [[message.status, message.detail]] : [])),
      [
        ["starting", undefined],
        ["processing", undefined],
        ["processing", { retry: 1, delay_ms: 500, code: "upstream_overloaded" }],
        ["processing", { retry: 2, delay_ms: 1_000, code: "upstream_disconnected" }],
        ["streaming", undefined],
        ["completed", undefined],
      ],
    );
    assert.equal(textOf(messages), text);
  });

  const begun: [string, Script][] = [
    ["a reset", [streamHead(), { write: created }, { reset: true }]],
    ["the end of the body", [streamHead(), { write: created }]],
    [
      "a refusal that is reported",
      [streamHead(), { write: created }, { write: 'data: {"type":"error","code":"invalid_prompt"}\n\n' }],
    ],
  ];
  for (const [name, script] of begun) {
    it(`does not happen once the upstream has started to answer, after ${name}`, async () => {
      await using bench = await createFaultBench(quick);
      bench.double.respond((_request, index) => (index === 0 ? script : good));
      bench.ask();
      const messages = await bench.untilTerminal();
      assert.equal(messages.at(-1)?.type, "error");
      assert.deepEqual(retriesIn(messages), []);
      assert.equal(bench.double.requests.length, 1);
    });
  }

  it("does not happen after the first event, even if the provider says that it is safe", async () => {
    let calls = 0;
    const provider: Provider = {
      name: "own",
      simulated: false,
      async *stream() {
        calls += 1;
        yield [{ type: "text", text }];
        throw new TroupeError("upstream_overloaded", { safeToRepeat: true });
      },
    };
    const providers = { choose: (api: string) => ({ provider, api, model: "own" }) };
    await using bench = await createFaultBench({ ...quick, providers });
    bench.ask();
    const messages = await bench.untilTerminal();
    const last = messages.at(-1);
    assert.ok(last?.type === "error" && last.code === "upstream_overloaded");
    assert.equal(textOf(messages), text);
    assert.equal(calls, 1);
  });

  it("repeats exactly the first call", async () => {
    await using bench = await createFaultBench({ ...quick, foreignVendorIds: true });
    bench.double.respond((_request, index) => (index === 0 ? httpError(500, "") : good));
    bench.ask({ tools: [{ type: "web_search" }], previous_response_id: "resp_1" });
    await bench.untilTerminal();
    const [first, second] = bench.double.requests;
    assert.deepEqual(second?.body, first?.body);
  });
});
