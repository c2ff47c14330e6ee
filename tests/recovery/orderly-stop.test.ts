import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import { assembleTroupe } from "../../src/compose/create-troupe.ts";
import { openStores } from "../../src/compose/open-stores.ts";
import { answer } from "../doubles/answer.ts";
import { brokenAfter, restOf } from "../doubles/background-answer.ts";
import { faultDeltas as deltas } from "../doubles/fault-shape.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createTestClock } from "../support/test-clock.ts";
import { textOf } from "../support/wire-client.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const events = answer({ responseId: "resp_7", deltas });
/** The events up to the middle of the text. */
const soFar = events.findIndex((event) => event.includes(`"${deltas[3]}"`));

function ask(id: string, more: object = {}, options: object = { background: true }) {
  const data = { input_text: "Hi", options, pacing: { mode: "raw" }, ...more };
  return { type: "openai_chat", id, data };
}

/** A server whose provider has sent half of an answer and then waits. */
async function halfway(frame: ReturnType<typeof ask>) {
  const at = await createInterruptedServer();
  at.upstream.respond(brokenAfter(soFar, events, { hang: true }));
  at.upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));
  const server = await at.start();
  const client = await server.connect();
  client.send(frame);
  while (textOf([...client.received]) === "") await client.next((message) => message.type === "chunk");
  return {
    ...{ at, server, client },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await at[Symbol.asyncDispose]();
    },
  };
}

describe("an answer with which the next process can go on", () => {
  it("is left as it is by a server that stops, and not waited for", async () => {
    await using half = await halfway(ask("long"));
    const { at, server, client } = half;
    // The clock stands still, so a drain that waited would not end.
    await server.troupe.close({ drainMs: 3_600_000 });
    assert.equal((await client.closed).code, 1012);
    assert.ok(client.received.every(({ type }) => type === "status" || type === "chunk"));
    assert.equal(at.upstream.sideRequests.length, 0);
    while (at.upstream.openConnections() > 0) await new Promise((resolve) => setImmediate(resolve));

    // The server is stopped again before anything more arrives.
    at.upstream.respondToRetrieval(() => brokenAfter(0, [], { hang: true }));
    const between = await at.start();
    await between.troupe.close({ drainMs: 3_600_000 });
    await between[Symbol.asyncDispose]();
    at.upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));

    await using next = await at.start();
    const messages = await replay(await next.connect(), "long");
    assert.equal(textOf(messages), deltas.join(""));
    assert.deepEqual(messages.slice(0, client.received.length), [...client.received]);
    assert.deepEqual(
      messages.map((message) => "seq" in message && message.seq),
      messages.map((_, index) => index + 1),
    );
    assert.equal(messages.at(-1)?.type, "response");
    assert.deepEqual([at.upstream.requests.length, at.upstream.sideRequests.length], [1, 0]);
    const usage = await (await fetch(`${next.httpUrl}/api/usage`)).json();
    assert.match(
      JSON.stringify(usage),
      /"calls":1,"input_tokens":\d+,"output_tokens":\d+,"total_tokens":\d+,"estimated":false/,
    );
  });

  it("ends as interrupted, and at the provider, if it could not be found again", async () => {
    await using at = await createInterruptedServer();
    at.upstream.respond(brokenAfter(0, events, { hang: true }));
    await using server = await at.start();
    const client = await server.connect();
    client.send(ask("unknown"));
    while (at.upstream.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.troupe.close({ drainMs: 0 });
    const end = client.received.at(-1);
    assert.ok(end?.type === "error" && end.code === "interrupted");
    while (at.upstream.openConnections() > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("starts again after a reset if it was asked to", async () => {
    await using half = await halfway(ask("again", { on_interrupt: "restart" }, {}));
    const { at, server } = half;
    await server.troupe.close({ drainMs: 0 });
    at.upstream.respond(streamScript(events));
    await using next = await at.start();
    const messages = await replay(await next.connect(), "again");
    const reset = messages.findIndex(({ type }) => type === "reset");
    assert.ok(reset > 0);
    assert.equal(textOf(messages.slice(reset)), deltas.join(""));
    assert.equal(messages.at(-1)?.type, "response");
  });

  it("counts in the bytes of requests when it goes on, beyond every limit, until it ends", async () => {
    const text = "words ".repeat(20_000);
    await using half = await halfway(ask("large", { input_text: text, on_interrupt: "restart" }, {}));
    await half.server.troupe.close({ drainMs: 0 });
    assert.equal(half.server.troupe.stats().requestBytes, 0);
    await using next = await half.at.start({ maxRequestBytes: 1, maxRequestBytesPerOwner: 1 });
    const { requestBytes } = next.troupe.stats();
    assert.ok(requestBytes >= text.length, String(requestBytes));
    const client = await next.connect();
    client.send(ask("other", {}, {}));
    const refused = await client.next(({ type }) => type === "error");
    assert.ok(refused.type === "error" && refused.code === "too_many_requests");
    client.send({ type: "cancel", data: { request_id: "large" } });
    while (next.troupe.stats().turns > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(next.troupe.stats().requestBytes, 0);
  });

  it("is left to the next start by one that fails after it went on", async () => {
    await using half = await halfway(ask("again", { on_interrupt: "restart" }, {}));
    const { at, server } = half;
    await server.troupe.close({ drainMs: 0 });
    const today = () => {
      throw new Error("The start fails.");
    };
    const clock = createTestClock({ instantMs: 9_000 });
    const options = {
      ...{ openaiApiKey: "k", openaiBaseUrl: at.upstream.baseUrl },
      ...{ data: path.dirname(at.database), clock },
    };
    const failing = assembleTroupe(options, async (...opened) => {
      const stores = await openStores(...opened);
      const openBudgets: typeof stores.openBudgets = async (prices) =>
        Object.create(await stores.openBudgets(prices), { today: { get: today } });
      return { ...stores, openBudgets };
    });
    await assert.rejects(failing, /The start fails/);
    assert.equal(clock.sleeping, 0);
    while (at.upstream.openConnections() > 0) await new Promise((resolve) => setImmediate(resolve));
    at.upstream.respond(streamScript(events));
    await using next = await at.start();
    const messages = await replay(await next.connect(), "again");
    assert.equal(messages.at(-1)?.type, "response");
  });

  it("ends as interrupted if nothing outlasts the process", async () => {
    for (const [frame, settings] of [
      [ask("memory"), { store: "memory" }],
      [ask("unstored", {}, { background: true, store: false }), {}],
    ] as const) {
      await using at = await createInterruptedServer();
      at.upstream.respond(brokenAfter(soFar, events, { hang: true }));
      await using server = await at.start(settings);
      const client = await server.connect();
      client.send(frame);
      await client.next((message) => message.type === "chunk");
      await server.troupe.close({ drainMs: 0 });
      const end = client.received.at(-1);
      assert.ok(end?.type === "error" && end.code === "interrupted", frame.id);
      assert.deepEqual(
        at.upstream.sideRequests.map(({ path }) => path),
        ["/v1/responses/resp_7/cancel"],
      );
    }
  });
});
