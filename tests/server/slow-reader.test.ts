import assert from "node:assert/strict";
import { test } from "node:test";
import { closeTable } from "../../src/protocol/closes.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openRawSocket } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { isTerminal, textOf } from "../support/wire-client.ts";

/**
 * More than the operating system buffers for a reader that stops: 2 million characters, and once more in the final
 * response.
 */
const deltas = Array.from({ length: 2_000 }, (_, index) => `${index} `.padEnd(1_000, "."));
const text = deltas.join("");
/** So long that the pauses in the answer, which pass at once, do not come near it. */
const pingMs = 120_000;

const ask = (id: string) => ({
  type: "openai_chat",
  id,
  data: { input_text: "Hi", pacing: { mode: "raw", chunk_chars: 1_000 } },
});

async function startLong() {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  upstream.respond(() => streamScript(answer({ deltas })));
  const clock = createTestClock({ instantMs: 500 });
  const startedAtMs = clock.now();
  const server = stack.use(
    await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, clock, pingMs }),
  );
  const untilEnded = async () => {
    while (server.troupe.stats().turns > 0) await new Promise((resolve) => setImmediate(resolve));
  };
  /** The server writes a piece in each turn of the loop, until the system takes no more. */
  const untilFull = async () => {
    await untilEnded();
    for (let turns = 0; turns < 1_000; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  /** Moves the time to just after the next ping. */
  const beat = () => clock.advance(pingMs - ((clock.now() - startedAtMs) % pingMs) + 1);
  return { server, clock, untilEnded, untilFull, beat, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("a reader that stops for a while gets everything on the same socket when it goes on", async () => {
  await using system = await startLong();
  const client = await system.server.connect();
  client.send(ask("long"));
  await client.next((message) => message.type === "chunk");
  client.pause();
  await system.untilEnded();
  const { length } = client.received;
  client.resume();
  const all = await client.untilTerminal("long");
  const messages = all.filter((message) => message.type !== "part");
  assert.ok(messages.length > length + 1_000, "most came only after the pause");
  assert.deepEqual(
    messages.map((message) => "seq" in message && message.seq),
    messages.map((_, index) => index + 1),
  );
  assert.equal(textOf(messages), text);
});

/** Asks for the long answer, stops reading in the middle of it, and waits until it is over and three pings were due. */
async function stall(system: Awaited<ReturnType<typeof startLong>>) {
  const client = await system.server.connect();
  client.send(ask("long"));
  await client.next((message) => message.type === "chunk");
  client.pause();
  await system.untilFull();
  const other = await system.server.connect();
  for (let beats = 0; beats < 3; beats += 1) {
    await system.beat();
    other.send({ type: "ping" });
    await other.next((message) => message.type === "pong");
  }
  return { client, other };
}

test("a reader that takes nothing is dropped after two pings, may return, and loses nothing", async () => {
  await using system = await startLong();
  const { client, other } = await stall(system);
  await system.clock.advance(1_001);
  while (system.server.troupe.stats().connections > 1) await new Promise((resolve) => setImmediate(resolve));
  client.resume();
  await client.closed;
  const seen = client.received.filter((message) => "seq" in message);
  assert.ok(!seen.some(isTerminal));
  other.send({ type: "resume", data: { request_id: "long", after_seq: seen.length } });
  const rest = await other.untilTerminal("long");
  assert.equal(textOf([...seen, ...rest]), text);
});

test("a reader that sends pongs and reads nothing is dropped as well", async () => {
  await using system = await startLong();
  using socket = await openRawSocket(system.server.httpUrl);
  socket.tcp.socket.pause();
  await socket.send({ opcode: 1, payload: JSON.stringify(ask("long")) });
  const other = await system.server.connect();
  for (let beats = 0; beats < 4; beats += 1) {
    await socket.send({ opcode: 10 });
    other.send({ type: "ping" });
    await other.next((message) => message.type === "pong");
    await system.untilFull();
    await system.beat();
  }
  await system.clock.advance(1_001);
  while (system.server.troupe.stats().connections > 1) await new Promise((resolve) => setImmediate(resolve));
});

test("a reader that reads on gets the reason for the close, may return, and loses nothing", async () => {
  await using system = await startLong();
  const { client, other } = await stall(system);
  client.resume();
  assert.deepEqual(await client.closed, { code: 4409, reason: closeTable.slow_reader.reason });
  const seen = client.received.filter((message) => "seq" in message);
  other.send({ type: "resume", data: { request_id: "long", after_seq: seen.length } });
  const rest = await other.untilTerminal("long");
  assert.equal(textOf([...seen, ...rest]), text);
});
