import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { answer } from "../../doubles/answer.ts";
import { createGate } from "../../doubles/script.ts";
import { httpError, streamHead, streamScript } from "../../doubles/stream-script.ts";
import { until } from "../../support/until.ts";
import { createProviderSetup, question, reading } from "./provider-setup.ts";

const deltas = ["Rain ", "falls ", "and ", "stops."];
const codeOf = (thrown: unknown) => (thrown instanceof TroupeError ? thrown.code : thrown);

describe("a call of the Responses API", () => {
  it("sends the request with the key, and gives one batch a read, the end last", async () => {
    await using at = await createProviderSetup();
    at.double.respond(streamScript(answer({ deltas, usage: { inputTokens: 3, outputTokens: 4 } })));
    const call = reading(at);
    assert.equal(await call.ended, undefined);
    const [request] = at.double.requests;
    assert.deepEqual(request?.body, { model: "gpt-4o-mini", input: "Well?", stream: true });
    assert.equal(request?.path, "/v1/responses");
    assert.equal(request?.headers.authorization, "Bearer key-of-a-test");
    assert.ok(call.batches.every((batch) => batch.length > 0));
    const events = call.batches.flat();
    assert.equal(events[0]?.type, "started");
    assert.deepEqual(
      events.flatMap((event) => (event.type === "text" ? [event.text] : [])),
      deltas,
    );
    const end = events.at(-1);
    assert.ok(end?.type === "end");
    const parts = { cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
    const usage = { inputTokens: 3, outputTokens: 4, totalTokens: 7, estimated: false };
    assert.deepEqual(end.usage, { ...usage, ...parts });
    assert.equal(end.response?.status, "completed");
    assert.equal(events.filter(({ type }) => type === "end").length, 1);
  });

  it("yields no batch for events without content, in any number of packets", async () => {
    await using at = await createProviderSetup();
    const whole = answer({ deltas });
    const said = whole.flatMap((event) => [": ping\n\n", event.slice(0, 9), event.slice(9)]);
    at.double.respond([streamHead(), ...said.map((write) => ({ write }))]);
    const call = reading(at);
    assert.equal(await call.ended, undefined);
    assert.ok(call.batches.every((batch) => batch.length > 0));
    assert.equal(call.batches.flat().at(-1)?.type, "end");
  });

  it("is made only once, with any result", async () => {
    await using at = await createProviderSetup();
    at.double.respond(httpError(500, "down"));
    const failed = await reading(at).ended;
    assert.ok(failed instanceof TroupeError);
    assert.deepEqual([failed.code, failed.safeToRepeat], ["upstream_error", true]);
    assert.equal(at.double.requests.length, 1);
  });

  it("keeps its connection for the next call after an answer, however it ended its body", async () => {
    await using at = await createProviderSetup();
    for (let count = 0; count < 5; count += 1) {
      assert.equal(await reading(at).ended, undefined);
      await until(() => at.idleConnections() === 1);
    }
    assert.equal(at.double.requests.length, 5);
    assert.equal(at.double.openConnections(), 1);
    assert.equal(at.connections(), 1);
  });

  it("leaves no connection open if it failed before its end", async () => {
    await using at = await createProviderSetup();
    for (const script of [
      [streamHead(), { write: "data: oops\n\n" }, { hang: true }] as const,
      [streamHead(), { write: answer()[0] ?? "" }, { reset: true }] as const,
      [{ head: { status: 200, framing: "chunked" } }, { write: "{}" }, { hang: true }] as const,
    ]) {
      at.double.respond(script);
      assert.ok((await reading(at).ended) instanceof TroupeError);
      assert.equal(at.connections(), 0);
    }
  });
});

describe("silence of the API", () => {
  it("before the first event is a timeout, with the connection closed", async () => {
    await using at = await createProviderSetup();
    for (const script of [
      [{ hang: true }],
      [streamHead(), { write: ": ping\n\n" }, { hang: true }],
    ] as const) {
      at.double.respond(script);
      const calls = at.double.requests.length;
      const call = reading(at);
      await at.double.received(calls + 1);
      await at.clock.advance(59_999);
      assert.equal(at.connections(), 1);
      await at.clock.advance(1);
      assert.equal(codeOf(await call.ended), "upstream_timeout");
      assert.equal(at.connections(), 0);
      assert.equal(at.clock.sleeping, 0);
    }
  });

  it("in the middle is a stall after the limit for silence, keep-alive comments or not", async () => {
    await using at = await createProviderSetup();
    const ping = createGate();
    const [created = "", ...rest] = answer({ deltas });
    at.double.respond([
      streamHead(),
      { write: created + rest.slice(0, 4).join("") },
      { waitFor: ping.opened },
      { write: ": ping\n\n" },
      { hang: true },
    ]);
    const call = reading(at);
    await call.texts(1);
    await at.clock.advance(299_000);
    const written = () => at.double.requests[0]?.bytesWritten ?? 0;
    const before = written();
    ping.open();
    await until(() => written() > before);
    await at.clock.advance(999);
    assert.equal(at.connections(), 1);
    await at.clock.advance(1);
    assert.equal(codeOf(await call.ended), "upstream_stalled");
    assert.equal(at.connections(), 0);
  });

  it("does not count while the reader does not ask for the next batch", async () => {
    await using at = await createProviderSetup();
    const events = answer({ deltas });
    const gate = createGate();
    at.double.respond([
      streamHead(),
      { write: events[0] ?? "" },
      { waitFor: gate.opened },
      { write: events.slice(1).join("") },
    ]);
    const { signal } = new AbortController();
    const batches = at.provider.stream(question, { signal })[Symbol.asyncIterator]();
    await batches.next();
    await at.clock.advance(3_600_000);
    gate.open();
    const rest = await batches.next();
    assert.equal(rest.value?.at(-1)?.type, "end");
    assert.equal((await batches.next()).done, true);
    assert.equal(at.clock.sleeping, 0);
  });
});
