import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../doubles/answer.ts";
import { createGate, type Step } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { isTerminal, textOf } from "../support/wire-client.ts";

/** 57 pieces, shown one by one without a pause, which makes an answer of more than 60 events. */
const deltas = Array.from({ length: 57 }, (_, index) => `piece ${index}, `);
const text = deltas.join("");

function ask(id: string) {
  return {
    type: "openai_chat",
    id,
    data: { input_text: "Count.", pacing: { mode: "natural", chunk_chars: 9, max_lag_ms: 0 } },
  };
}

test("at every position: cut, reconnect, resume: no gap, no repeat, the same text, no second call", async () => {
  await using upstream = await createUpstreamDouble();
  upstream.respond(() => streamScript(answer({ deltas })));
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const whole = await server.connect();
  whole.send(ask("whole"));
  const expected = await whole.untilTerminal("whole");
  assert.ok(expected.length >= 60, `${expected.length} events`);

  for (let cut = 0; cut <= expected.length; cut += 1) {
    const id = `cut-${cut}`;
    const first = await server.connect();
    first.send(ask(id));
    // Packets that were read together give fewer chunks.
    while (first.received.length < cut && !first.received.some(isTerminal)) await first.next();
    const seen = first.received.slice(0, cut);
    if (cut === 0) await upstream.received(2);
    first.terminate();

    const second = await server.connect();
    second.send({ type: "resume", data: { request_id: id, after_seq: seen.length } });
    const resumed = await second.next();
    assert.ok(resumed.type === "resumed" && resumed.head_seq >= seen.length);
    if (!seen.some(isTerminal)) await second.untilTerminal(id);
    const all = [...seen, ...second.received.slice(1)];
    assert.deepEqual(
      all.map((message) => "seq" in message && message.seq),
      all.map((_, index) => index + 1),
    );
    assert.equal(textOf(all), text);
    second.terminate();
  }
  assert.equal(upstream.requests.length, expected.length + 2);
});

test("two devices follow one turn while it runs, and both see everything once", async () => {
  const gate = createGate();
  await using upstream = await createUpstreamDouble();
  const script = streamScript(answer({ deltas }));
  const half = Math.floor(script.length / 2);
  upstream.respond([
    ...script.slice(0, half),
    { waitFor: gate.opened } satisfies Step,
    ...script.slice(half),
  ]);
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const phone = await server.connect();
  phone.send(ask("shared"));
  await phone.next((message) => message.type === "chunk");
  const laptop = await server.connect();
  laptop.send({ type: "resume", data: { request_id: "shared", after_seq: 0 } });
  await laptop.next((message) => message.type === "chunk");
  gate.open();
  const [onPhone, onLaptop] = await Promise.all([
    phone.untilTerminal("shared"),
    laptop.untilTerminal("shared"),
  ]);
  assert.deepEqual(onLaptop.slice(1), onPhone);
  assert.equal(textOf(onPhone), text);
});

test("a second resume on one socket moves the follower instead of doubling it", async () => {
  const gate = createGate();
  await using upstream = await createUpstreamDouble();
  const script = streamScript(answer({ deltas }));
  upstream.respond([...script.slice(0, 20), { waitFor: gate.opened }, ...script.slice(20)]);
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const client = await server.connect();
  client.send(ask("twice"));
  await client.next((message) => message.type === "chunk");
  client.send({ type: "resume", data: { request_id: "twice", after_seq: 0 } });
  client.send({ type: "resume", data: { request_id: "twice", after_seq: 0 } });
  await client.next((message) => message.type === "resumed");
  await client.next((message) => message.type === "resumed");
  gate.open();
  await client.next((message) => message.type === "response");
  const last = client.received.findLastIndex((message) => message.type === "resumed");
  const live = client.received.slice(last + 1);
  assert.deepEqual(
    live.map((message) => "seq" in message && message.seq),
    live.map((_, index) => index + 1),
  );
});

test("the same id and content attaches to the turn; other content is a conflict", async () => {
  await using upstream = await createUpstreamDouble();
  upstream.respond(() => streamScript(answer({ deltas })));
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const client = await server.connect();
  client.send(ask("same"));
  const first = await client.untilTerminal("same");
  const other = await server.connect();
  other.send(ask("same"));
  assert.deepEqual(await other.untilTerminal("same"), first);
  assert.equal(upstream.requests.length, 1);
  other.send({ type: "openai_chat", id: "same", data: { input_text: "Something else." } });
  const conflict = await other.next((message) => message.type === "error");
  assert.ok(conflict.type === "error" && conflict.code === "request_id_conflict" && conflict.field === "id");
});

test("a resume that cannot be: unknown, beyond the head, after the retention", async () => {
  const clock = createTestClock({ instantMs: 1_000 });
  await using server = await startTroupe({ clock, logRetentionMs: 60_000 });
  const client = await server.connect();
  const refusal = async (request_id: string, after_seq: number) => {
    client.send({ type: "resume", data: { request_id, after_seq } });
    const reply = await client.next((message) => message.type === "error");
    return reply.type === "error" && [reply.code, reply.field];
  };
  assert.deepEqual(await refusal("never", 0), ["request_not_found", "data.request_id"]);
  client.send({ type: "chat", id: "short", data: { message: "Hi", persona_id: "teacher", max_tokens: 3 } });
  const messages = await client.untilTerminal("short");
  assert.deepEqual(await refusal("short", messages.length + 1), ["seq_out_of_range", "data.after_seq"]);
  client.send({ type: "resume", data: { request_id: "short", after_seq: messages.length } });
  assert.deepEqual(await client.next((message) => message.type === "resumed"), {
    type: "resumed",
    request_id: "short",
    head_seq: messages.length,
    conversation_id: "id-1",
    state: "ended",
  });
  await clock.advance(60_001);
  assert.deepEqual(await refusal("short", 0), ["request_not_found", "data.request_id"]);
});

test("a trimmed log answers with reset: the stored text, then the terminal message", async () => {
  const clock = createTestClock({ instantMs: 1_000 });
  await using server = await startTroupe({ clock, logBytes: 8_192 });
  const client = await server.connect();
  const talk = async (id: string) => {
    client.send({ type: "chat", id, data: { message: `Question ${id}`, persona_id: "teacher" } });
    return client.untilTerminal(id);
  };
  const first = await talk("first");
  await talk("second");
  client.send({ type: "openai_chat", id: "third", data: { input_text: "x" } });
  await client.untilTerminal("third");
  const other = await server.connect();
  other.send({ type: "resume", data: { request_id: "second", after_seq: 3 } });
  const answerOf = await other.next((message) => message.type === "reset" || message.type === "error");
  const end = await other.next((message) => message.type === "response");
  assert.ok(
    first.length > 10 && answerOf.type === "reset" && end.type === "response" && "response" in end.data,
  );
  assert.deepEqual(answerOf.lanes, [{ persona_id: "teacher", text: end.data.response }]);
  assert.equal(end.seq, Number(answerOf.through_seq) + 1);
});
