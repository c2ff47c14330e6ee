import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { answer } from "../doubles/answer.ts";
import { createGate, type Gate } from "../doubles/script.ts";
import { streamHead, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import type { WireClient } from "../support/wire-client.ts";

const textChars = 100_000;
const text = "words ".repeat(textChars).slice(0, textChars);
/** Room for two requests of one lane, each with its text, a body of three times that size, and the fixed part. */
const maxBytes = 2 * (4 * textChars + 64 * 1024 + 1_000);

const ample = { maxRequestBytes: 1e9, maxRequestBytesPerOwner: 1e9, maxRequestBytesPerConnection: 1e9 };

const ask = (id: string | undefined, data: object = {}) => ({
  type: "openai_chat",
  ...(id === undefined ? {} : { id }),
  data: { input_text: text, ...data },
});

/** A server whose provider sends its first word when it is told to, and then nothing. */
async function startHanging(options: TroupeOptions) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  const gate: Gate = createGate();
  const [created = "", ...rest] = answer({ deltas: ["So far.", "Never."] });
  const begun = [created, ...rest.slice(0, rest.findIndex((event) => event.includes("So far.")) + 1)];
  upstream.respond([
    { waitFor: gate.opened },
    streamHead(),
    ...begun.map((write) => ({ write })),
    { hang: true as const },
  ]);
  const server = stack.use(
    await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, ...options }),
  );
  return { upstream, server, gate, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

type System = Awaited<ReturnType<typeof startHanging>>;

const held = ({ server }: Pick<System, "server">) => server.troupe.stats().requestBytes;

async function refusalOf(client: WireClient, id: string) {
  const refused = await client.next((message) => message.type === "error" && message.in_reply_to?.id === id);
  assert.ok(refused.type === "error");
  return refused;
}

async function stop(client: WireClient, ...ids: string[]) {
  for (const request_id of ids) {
    client.send({ type: "cancel", data: { request_id } });
    await client.untilTerminal(request_id);
  }
}

for (const [whose, options, code] of [
  ["of one connection", { maxRequestBytesPerConnection: maxBytes }, "too_many_requests"],
  ["of one owner", { maxRequestBytesPerOwner: maxBytes }, "too_many_requests"],
  ["of all", { maxRequestBytes: maxBytes }, "overloaded"],
] as const) {
  test(`requests hold a number of bytes ${whose}: more are refused before anything is stored, and have room after an end`, async () => {
    await using system = await startHanging({ ...ample, ...options });
    const client = await system.server.connect();
    const another = await system.server.connect();
    for (const id of ["a", "b"]) client.send(ask(id));
    while (system.upstream.requests.length < 2) await nextLoopTurn();
    const before = { ...system.server.troupe.stats() };
    client.send(ask("c"));
    const refused = await refusalOf(client, "c");
    assert.equal(refused.code, code);
    assert.match(refused.message, new RegExp(`may hold ${maxBytes} bytes`));
    assert.ok(refused.retryable && refused.retry_after_ms === 1_000);
    assert.deepEqual(system.server.troupe.stats(), before);
    if (whose !== "of one connection") {
      another.send(ask("c"));
      assert.equal((await refusalOf(another, "c")).code, code);
    }
    await stop(client, "a");
    client.send(ask("c"));
    await client.next((message) => message.type === "status" && message.request_id === "c");
    while (system.upstream.requests.length < 3) await nextLoopTurn();
    await stop(client, "b", "c");
    while (system.server.troupe.stats().turns > 0) await nextLoopTurn();
    assert.equal(held(system), 0);
  });
}

test("unnamed requests that wait count as well, until their client is gone", async () => {
  await using system = await startHanging({ maxRequestBytesPerConnection: 3 * maxBytes });
  const client = await system.server.connect();
  for (let count = 0; count < 20; count += 1) client.send(ask(undefined));
  client.send({ type: "ping", id: "fence" });
  await client.next((message) => message.type === "pong");
  const refused = client.received.filter((message) => message.type === "error");
  assert.equal(refused.length, 20 - 6);
  assert.ok(refused.every((message) => message.code === "too_many_requests"));
  const ofSix = held(system);
  assert.ok(ofSix > 0 && ofSix <= 3 * maxBytes, String(ofSix));
  client.terminate();
  while (held(system) > maxBytes / 2) await nextLoopTurn();
});

test("a caller that holds nothing may send anything that fits into a message", async () => {
  await using system = await startHanging({ maxRequestBytes: 1, maxRequestBytesPerOwner: 1 });
  const client = await system.server.connect();
  client.send(ask("large"));
  await client.next((message) => message.type === "status" && message.request_id === "large");
  client.send(ask("next"));
  assert.equal((await refusalOf(client, "next")).code, "too_many_requests");
});

test("a request frees the body of its call when the provider has started to answer", async () => {
  await using system = await startHanging({});
  const client = await system.server.connect();
  client.send(ask("a"));
  while (system.upstream.requests.length < 1) await nextLoopTurn();
  const before = held(system);
  system.gate.open();
  await client.next((message) => message.type === "chunk");
  assert.ok(before - held(system) >= 3 * textChars, `${before} before, ${held(system)} after`);
  assert.ok(held(system) >= textChars);
});

test("a persona's conversation text counts, and is refused before the question is stored", async () => {
  await using system = await startHanging({
    ...{ ...ample, maxRequestBytes: 4 * textChars },
    contextChars: 2 * textChars,
  });
  const client = await system.server.connect();
  const chat = (id: string, message: string) => ({
    type: "chat",
    id,
    data: { message, persona_id: "teacher" },
  });
  system.upstream.respond(streamScript(answer({ deltas: ["Short."] })));
  client.send(chat("long", text));
  const end = (await client.untilTerminal("long")).at(-1);
  assert.ok(end?.type === "response" && end.request_type === "chat");
  system.upstream.respond([{ hang: true }]);
  const another = await system.server.connect();
  another.send(chat("small", "Hi"));
  await another.next((message) => message.type === "status");
  client.send(chat("short", "And?"));
  assert.equal((await refusalOf(client, "short")).code, "overloaded");
  const { conversation_id } = end.data;
  const read = await fetch(`${system.server.httpUrl}/api/conversations/${conversation_id}`);
  const { messages } = (await read.json()) as { messages: unknown[] };
  assert.equal(messages.length, 2);
  await stop(another, "small");
  while (held(system) > 0) await nextLoopTurn();
  client.send(chat("short", "And?"));
  await client.next((message) => message.type === "status" && message.request_id === "short");
});

for (const [name, message, code] of [
  [
    "of a persona that there is not",
    { type: "chat", data: { message: text, persona_id: "nobody" } },
    "persona_not_found",
  ],
  [
    "in a conversation that there is not",
    { type: "chat", data: { message: text, persona_id: "teacher", conversation_id: "none" } },
    "conversation_not_found",
  ],
  [
    "of a provider that there is not",
    { type: "chat", data: { message: text, persona_id: "teacher", api: "none" } },
    "provider_not_configured",
  ],
  ["beyond the rate", { type: "openai_chat", data: { input_text: text } }, "request_rate_exceeded"],
  [
    "beyond the budget of the day",
    { type: "openai_chat", data: { input_text: text } },
    "larger_than_day_budget",
  ],
] as const) {
  test(`a request ${name} frees the bytes it held, named or not`, async () => {
    await using system = await startHanging({
      ...{ ...ample, maxRequestBytes: maxBytes },
      ...(code === "request_rate_exceeded" ? { requestsPerMinute: 1 } : {}),
      ...(code === "larger_than_day_budget" ? { tokensPerDay: 10 } : {}),
    });
    const client = await system.server.connect();
    const last = code === "request_rate_exceeded" ? [ask("first")] : [];
    for (const first of last) client.send(first);
    for (let count = 0; count < 6; count += 1)
      client.send(count % 2 === 0 ? { ...message, id: `r-${count}` } : message);
    client.send({ type: "ping", id: "fence" });
    await client.next(({ type }) => type === "pong");
    while (client.received.filter(({ type }) => type === "error").length < 6) await nextLoopTurn();
    for (const error of client.received.filter((one) => one.type === "error")) assert.equal(error.code, code);
    if (last.length > 0) await stop(client, "first");
    while (system.server.troupe.stats().turns > 0) await nextLoopTurn();
    assert.equal(held(system), 0);
  });
}

test("a request that is sent again is found though nothing more may be held", async () => {
  await using system = await startHanging({ maxRequestBytesPerOwner: maxBytes / 2 });
  const client = await system.server.connect();
  client.send(ask("a"));
  while (system.upstream.requests.length < 1) await nextLoopTurn();
  const before = held(system);
  const again = await system.server.connect();
  again.send(ask("a"));
  await again.next((message) => message.type === "status" && message.request_id === "a");
  assert.equal(held(system), before);
});
