import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../doubles/answer.ts";
import { createGate, type Script } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const events = answer({ text: "one two three four five" });

async function startGated() {
  const gate = createGate();
  const upstream = await createUpstreamDouble({ keepAlive: false });
  const script = streamScript(events);
  upstream.respond([...script.slice(0, 6), { waitFor: gate.opened }, ...script.slice(6)] satisfies Script);
  const clock = createTestClock({ instantMs: 1_000 });
  const server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, clock });
  const stack = new AsyncDisposableStack();
  stack.use(upstream);
  stack.use(server);
  /** Asks, waits for the first text, and cuts the connection. Settles when the server has noticed. */
  async function askAndVanish(message: object) {
    const client = await server.connect();
    client.send(message);
    await client.next((reply) => reply.type === "chunk");
    client.terminate();
    while (server.troupe.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { gate, upstream, server, clock, askAndVanish, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("a request without an id is cancelled 10 s after its socket is gone, not before", async () => {
  await using system = await startGated();
  await system.askAndVanish({ type: "openai_chat", data: { input_text: "Hi" } });
  const call = await system.upstream.received(1);
  await system.clock.advance(9_900);
  assert.equal(system.server.troupe.stats().turns, 1);
  assert.equal(call.closedAtMs, undefined);
  await system.clock.advance(200);
  await system.upstream.closed(call);
});

test("a request with an id runs to its end, and its whole answer can be read afterwards", async () => {
  await using system = await startGated();
  await system.askAndVanish({ type: "openai_chat", id: "named", data: { input_text: "Hi" } });
  await system.clock.advance(60_000);
  system.gate.open();
  while (system.server.troupe.stats().turns > 0) await new Promise((resolve) => setImmediate(resolve));
  const client = await system.server.connect();
  client.send({ type: "resume", data: { request_id: "named", after_seq: 0 } });
  const terminal = (await client.untilTerminal("named")).at(-1);
  assert.ok(terminal?.type === "response" && terminal.status === "completed");
});

test("on_disconnect: cancel stops at once, milliseconds after that time, and coming back in time keeps it", async () => {
  await using system = await startGated();
  const request = (id: string, on_disconnect: unknown) => ({
    type: "openai_chat",
    id,
    data: { input_text: "Hi", on_disconnect },
  });
  await system.askAndVanish(request("a", "cancel"));
  await system.clock.advance(1);
  await system.upstream.closed(await system.upstream.received(1));

  await system.askAndVanish(request("b", 5_000));
  await system.clock.advance(4_000);
  const back = await system.server.connect();
  back.send({ type: "resume", data: { request_id: "b", after_seq: 0 } });
  await back.next((message) => message.type === "chunk");
  await system.clock.advance(60_000);
  assert.equal(system.server.troupe.stats().turns, 1);
  back.terminate();
  while (system.server.troupe.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  await system.clock.advance(5_001);
  await system.upstream.closed(await system.upstream.received(2));
});

test("the server stops in order: running requests get their time, then end as interrupted, and sockets close with 1012", async () => {
  await using system = await startGated();
  const client = await system.server.connect();
  client.send({ type: "openai_chat", id: "r", data: { input_text: "Hi" } });
  await client.next((message) => message.type === "chunk");
  const closing = system.server.troupe.close({ drainMs: 5_000 });
  client.send({ type: "openai_chat", id: "late", data: { input_text: "Hi" } });
  const refused = await client.next((message) => message.type === "error");
  assert.ok(refused.type === "error" && refused.code === "shutting_down" && refused.retryable);
  await system.clock.advance(5_001);
  const terminal = (await client.untilTerminal("r")).at(-1);
  assert.ok(terminal?.type === "error" && terminal.code === "interrupted" && terminal.retryable);
  assert.equal((await client.closed).code, 1012);
  await closing;
  assert.equal(system.upstream.openConnections(), 0);
});

test("the server's stop waits for a request that ends in time", async () => {
  await using system = await startGated();
  const client = await system.server.connect();
  client.send({ type: "openai_chat", id: "r", data: { input_text: "Hi" } });
  await client.next((message) => message.type === "chunk");
  const closing = system.server.troupe.close({ drainMs: 5_000 });
  system.gate.open();
  const terminal = (await client.untilTerminal("r")).at(-1);
  assert.ok(terminal?.type === "response" && terminal.status === "completed");
  await closing;
});
