import assert from "node:assert/strict";
import { test } from "node:test";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";

const ask = (id: string) => ({ type: "openai_chat", id, data: { input_text: "Hi" } });

async function startHanging(options: object) {
  const upstream = await createUpstreamDouble();
  upstream.respond([{ hang: true }]);
  const server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, ...options });
  const stack = new AsyncDisposableStack();
  stack.use(upstream);
  stack.use(server);
  return { upstream, server, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

for (const [name, options, code] of [
  ["of a connection", { maxRequestsPerConnection: 2 }, "too_many_requests"],
  ["of an owner", { maxRequestsPerOwner: 2 }, "too_many_requests"],
  ["in all", { maxRequests: 2 }, "overloaded"],
] as const) {
  test(`requests in flight ${name}: one too many is refused, and there is room again after an end`, async () => {
    await using system = await startHanging(options);
    const client = await system.server.connect();
    for (const id of ["a", "b", "c"]) client.send(ask(id));
    const refused = await client.next((message) => message.type === "error");
    assert.ok(refused.type === "error" && refused.code === code && refused.retryable);
    assert.deepEqual(refused.in_reply_to, { type: "openai_chat", id: "c" });
    client.send({ type: "cancel", data: { request_id: "a" } });
    await client.untilTerminal("a");
    client.send(ask("d"));
    await client.next((message) => message.type === "status" && message.request_id === "d");
    assert.equal(system.server.troupe.stats().turns, 2);
  });
}

test("unnamed requests that wait are bounded too", async () => {
  await using system = await startHanging({ maxRequestsPerConnection: 3 });
  const client = await system.server.connect();
  for (let count = 0; count < 20; count += 1)
    client.send({ type: "openai_chat", data: { input_text: "Hi" } });
  client.send({ type: "ping", id: "fence" });
  await client.next((message) => message.type === "pong");
  const refused = client.received.filter((message) => message.type === "error");
  assert.ok(refused.length >= 16 && refused.every((message) => message.code === "too_many_requests"));
  assert.equal(system.upstream.requests.length <= 1, true);
});

test("frames beyond the limits close the connection with the right codes", async () => {
  await using server = await startTroupe();
  const tooBig = await server.connect();
  tooBig.sendText(JSON.stringify({ type: "ping", data: { pad: "x".repeat(1024 * 1024) } }));
  assert.equal((await tooBig.closed).code, 1009);
  const atLimit = await server.connect();
  const frame = JSON.stringify({ type: "ping", id: "p", pad: "" });
  atLimit.sendText(frame.replace('"pad":""', `"pad":"${"x".repeat(1024 * 1024 - frame.length)}"`));
  assert.deepEqual(await atLimit.next(), { type: "pong", id: "p" });
});

test("connections beyond the limit are refused before the handshake", async () => {
  await using server = await startTroupe({ maxConnections: 1 });
  const first = await server.connect();
  await assert.rejects(server.connect(), /503/);
  first.close();
  await first.closed;
  while (server.troupe.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  await server.connect();
});
