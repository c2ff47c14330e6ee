import assert from "node:assert/strict";
import { test } from "node:test";
import { wireLimits } from "../../src/protocol/limits.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { frameBytes, openRawSocket } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

/** `count` frames in one write. */
const repeated = (bytes: Uint8Array, count: number) => Buffer.concat(Array<Uint8Array>(count).fill(bytes));

for (const [name, frame, most] of [
  ["pings", frameBytes({ opcode: 9, payload: "are you there?" }), wireLimits.controlFramesAtOnce],
  ["pongs that nobody asked for", frameBytes({ opcode: 10 }), wireLimits.controlFramesAtOnce],
  ["messages", frameBytes({ opcode: 1, payload: "no JSON" }), wireLimits.messagesAtOnce],
] as const) {
  test(`a flood of ${name} is closed with 1008, frames within the rate are not, and others do not notice`, async () => {
    const clock = createTestClock();
    await using server = await startTroupe({ clock });
    using patient = await openRawSocket(server.httpUrl);
    using flooding = await openRawSocket(server.httpUrl);
    const other = await server.connect();
    await patient.send(repeated(frame, most - 1));
    await flooding.send(repeated(frame, most + 1));
    other.send({ type: "ping", id: "still-here" });
    await other.next((message) => message.type === "pong");
    // The clock stands still until then, because time that passes allows more frames.
    let last = await flooding.next();
    while (last !== undefined && last.opcode !== 8) last = await flooding.next();
    assert.equal(last?.payload.readUInt16BE(0), 1008);
    // The client does not answer the close, but is dropped all the same.
    while (server.troupe.stats().connections > 2) await clock.advance(1_001);
    await patient.send({ opcode: 1, payload: '{"type":"ping","id":"fence"}' });
    for (let frame = await patient.next(); ; frame = await patient.next()) {
      assert.ok(frame !== undefined && frame.opcode !== 8);
      if (frame.payload.includes("fence")) break;
    }
  });
}

test("a client that returns to an allowed rate is not closed", async () => {
  const clock = createTestClock();
  await using server = await startTroupe({ clock });
  using socket = await openRawSocket(server.httpUrl);
  for (let second = 0; second < 20; second += 1) {
    await socket.send(repeated(frameBytes({ opcode: 10 }), wireLimits.controlFramesPerSecond));
    await socket.send({ opcode: 1, payload: `{"type":"ping","id":"${second}"}` });
    assert.match(String((await socket.next())?.payload), new RegExp(`"${second}"`));
    await clock.advance(1_000);
  }
});

test("10,000 requests in one write: each is started or refused", async () => {
  await using upstream = await createUpstreamDouble();
  upstream.respond([{ hang: true }]);
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  using socket = await openRawSocket(server.httpUrl);
  const count = 10_000;
  const asks = Array.from({ length: count }, (_, index) =>
    frameBytes({
      opcode: 1,
      payload: JSON.stringify({ type: "openai_chat", id: `r${index}`, data: { input_text: "Hi" } }),
    }),
  );
  await socket.send(Buffer.concat(asks));
  const begun = new Set<string>();
  const refused = new Set<string>();
  while (begun.size + refused.size < count) {
    const frame = await socket.next();
    assert.equal(frame?.opcode, 1, `the connection ended after ${begun.size + refused.size} answers`);
    const message = JSON.parse(String(frame?.payload));
    if (message.type === "status") begun.add(message.request_id);
    else if (message.code === "too_many_requests") refused.add(message.in_reply_to.id);
    else assert.fail(String(frame?.payload));
  }
  assert.equal(begun.size, 128);
});
