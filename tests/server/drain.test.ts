import assert from "node:assert/strict";
import { test } from "node:test";
import { retryAfterMsIn } from "../../src/protocol/closes.ts";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const ask = (id?: string) => ({ type: "openai_chat", id, data: { input_text: "Hi" } });

/** A server whose answers stop after their first words until the gate opens. */
async function startGated() {
  const stack = new AsyncDisposableStack();
  const gate = createGate();
  const upstream = stack.use(await createUpstreamDouble());
  const script = streamScript(answer({ text: "one two three four five" }));
  upstream.respond([...script.slice(0, 6), { waitFor: gate.opened }, ...script.slice(6)]);
  const clock = createTestClock({ instantMs: 500 });
  let draws = 0;
  /** 0, 0.1, ... 0.9, then from 0 again. */
  const random = () => (draws++ % 10) / 10;
  const settings = { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, reconnectSpreadMs: 5_000 };
  const server = stack.use(await startTroupe({ ...settings, clock, random }));
  return { gate, server, clock, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("idle clients are sent away at once, each to return at a moment of its own", async () => {
  await using system = await startGated();
  const busy = await system.server.connect();
  busy.send(ask("busy"));
  await busy.next((message) => message.type === "chunk");
  const quiet = await Promise.all(Array.from({ length: 10 }, () => system.server.connect()));
  const closing = system.server.troupe.close({ drainMs: 60_000 });
  const waits: (number | undefined)[] = [];
  for (const client of quiet) {
    const { code, reason } = await client.closed;
    assert.equal(code, 1012);
    waits.push(retryAfterMsIn(reason));
  }
  assert.deepEqual(
    waits.sort((a = 0, b = 0) => a - b),
    [0, 500, 1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 4_500],
  );
  await assert.rejects(system.server.connect(), /503/);
  busy.send({ type: "ping", id: "served-on" });
  await busy.next((message) => message.type === "pong");
  system.gate.open();
  const terminal = (await busy.untilTerminal("busy")).at(-1);
  assert.ok(terminal?.type === "response" && terminal.status === "completed");
  const { code, reason } = await busy.closed;
  assert.equal(code, 1012);
  assert.equal(typeof retryAfterMsIn(reason), "number");
  await closing;
});

test("when the time is over every follower has the end of its turn before it is closed", async () => {
  await using system = await startGated();
  const owner = await system.server.connect();
  owner.send(ask("long"));
  await owner.next((message) => message.type === "chunk");
  const device = await system.server.connect();
  device.send({ type: "resume", data: { request_id: "long", after_seq: 0 } });
  await device.next((message) => message.type === "chunk");
  const closing = system.server.troupe.close({ drainMs: 5_000 });
  await system.clock.advance(5_001);
  for (const client of [owner, device]) {
    const terminal = (await client.untilTerminal("long")).at(-1);
    assert.ok(terminal?.type === "error" && terminal.code === "interrupted" && terminal.retryable);
    assert.equal((await client.closed).code, 1012);
  }
  await closing;
});

test("requests without an id that still wait are refused before their connection is closed", async () => {
  await using system = await startGated();
  const client = await system.server.connect();
  for (let count = 0; count < 3; count += 1) client.send(ask());
  await client.next((message) => message.type === "chunk");
  const closing = system.server.troupe.close({ drainMs: 60_000 });
  system.gate.open();
  assert.equal((await client.closed).code, 1012);
  const ends = client.received.flatMap((message) => {
    if (message.type === "error") return [message.code];
    return message.type === "response" ? [message.status] : [];
  });
  assert.deepEqual(ends, ["completed", "shutting_down", "shutting_down"]);
  await closing;
});

test("a port may be closed when the last socket and the last request are gone, before the stop is over", async () => {
  await using system = await startGated();
  const { troupe } = system.server;
  const client = await system.server.connect();
  client.send(ask());
  await client.next((message) => message.type === "chunk");
  const closesPort = Promise.withResolvers<void>();
  let left: readonly number[] | undefined;
  let isOver = false;
  const closing = troupe
    .close({
      drainMs: 60_000,
      onDrained() {
        left = [troupe.stats().connections, troupe.stats().turns];
        return closesPort.promise;
      },
    })
    .then(() => {
      isOver = true;
    });
  assert.equal(left, undefined);
  system.gate.open();
  assert.equal((await client.closed).code, 1012);
  while (left === undefined) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([left, isOver], [[0, 0], false]);
  closesPort.resolve();
  await closing;
});

test("before it stops, a server says that it is not ready, and serves everything until balancers have noticed", async () => {
  const clock = createTestClock();
  await using server = await startTroupe({ clock, lameDuckMs: 5_000 });
  assert.equal((await fetch(`${server.httpUrl}/readyz?draining=404`)).status, 200);
  let isOver = false;
  const leaving = server.troupe.leaveBalancer().then(() => {
    isOver = true;
  });
  const readiness = await fetch(`${server.httpUrl}/readyz`);
  assert.equal(readiness.status, 503);
  assert.deepEqual(await readiness.json(), { status: "not_ready", reason: "shutting_down" });
  assert.equal((await fetch(`${server.httpUrl}/readyz?draining=404`)).status, 404);
  assert.equal((await fetch(`${server.httpUrl}/healthz`)).status, 200);
  const client = await server.connect();
  client.send({ type: "chat", id: "late", data: { message: "Hi", persona_id: "teacher" } });
  await client.next((message) => message.type === "status");
  await clock.advance(4_999);
  assert.equal(isOver, false);
  await clock.advance(1);
  await leaving;
});
