import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";

async function startHanging(options: object = {}) {
  const upstream = await createUpstreamDouble();
  upstream.respond([{ hang: true }]);
  const server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, ...options });
  const stack = new AsyncDisposableStack();
  stack.use(upstream);
  stack.use(server);
  return { upstream, server, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const ask = (id: string) => ({ type: "openai_chat", id, data: { input_text: "Hi" } });
const chat = (id: string, more: object = {}) => ({
  ...{ type: "chat", id },
  data: { message: "Hi", persona_id: "teacher", max_tokens: 3, ...more },
});
const isError = (message: ServerMessage) => message.type === "error";

test("a client that cancels without following, or cancels a lane, hears that the cancel was passed on", async () => {
  await using system = await startHanging();
  const client = await system.server.connect();
  const persona_ids = ["teacher", "skeptic"];
  client.send({ type: "multi_chat", id: "r", data: { message: "Hi", persona_ids } });
  await client.next(({ type }) => type === "status");
  const other = await system.server.connect();
  other.send({ type: "cancel", id: "c-1", data: { request_id: "r", persona_id: "teacher" } });
  const lane = { type: "cancelling", request_id: "r", persona_id: "teacher", id: "c-1" };
  assert.deepEqual(await other.next(), lane);
  other.send({ type: "cancel", data: { request_id: "r" } });
  assert.deepEqual(await other.next(), { type: "cancelling", request_id: "r" });
  const end = (await client.untilTerminal("r")).at(-1);
  assert.ok(end?.type === "response" && end.status === "cancelled");
  assert.equal(other.received.length, 2);
});

test("a refusal names the request or conversation that its frame was about, and every reply the frame's id", async () => {
  await using server = await startTroupe();
  const client = await server.connect();
  client.send(chat("done"));
  const end = (await client.untilTerminal("done")).at(-1);
  assert.ok(end?.type === "response" && end.request_type === "chat");
  const { conversation_id } = end.data;
  const rows: readonly (readonly [object, string, object])[] = [
    [
      { type: "resume", data: { request_id: "never", after_seq: 0 } },
      "request_not_found",
      { request_id: "never" },
    ],
    [
      { type: "resume", data: { request_id: "done", after_seq: 999 } },
      "seq_out_of_range",
      { request_id: "done" },
    ],
    [{ type: "cancel", data: { request_id: "never" } }, "request_not_found", { request_id: "never" }],
    [{ type: "cancel", data: { request_id: "done" } }, "request_ended", { request_id: "done" }],
    [
      { type: "follow", data: { conversation_id: "never" } },
      "conversation_not_found",
      { conversation_id: "never" },
    ],
    [{ type: "follow", data: { conversation_id, after: "never" } }, "request_not_found", { conversation_id }],
    [
      { ...chat("done"), type: "chat", data: { message: "Other", persona_id: "teacher" } },
      "request_id_conflict",
      { request_id: "done" },
    ],
    [chat("new", { persona_id: "nobody" }), "persona_not_found", { request_id: "new" }],
    [chat("new", { temperature: 9 }), "invalid_message", { request_id: "new" }],
    [{ ...chat("new"), id: undefined, data: {} }, "invalid_message", {}],
    [{ type: "resume", id: "new", data: {} }, "invalid_message", {}],
  ];
  for (const [frame, code, about] of rows) {
    client.send(frame);
    const refused = await client.next(isError);
    assert.ok(refused.type === "error" && refused.code === code, JSON.stringify(refused));
    const { request_id, conversation_id } = refused;
    assert.deepEqual(
      { request_id, conversation_id },
      { request_id: undefined, conversation_id: undefined, ...about },
    );
  }
  for (const [frame, reply] of [
    [{ type: "resume", data: { request_id: "done", after_seq: 0 } }, "resumed"],
    [{ type: "follow", data: { conversation_id } }, "following"],
    [{ type: "unfollow", data: { conversation_id } }, "unfollowed"],
    [{ type: "unfollow", data: { conversation_id: "never" } }, "unfollowed"],
    [{ type: "ping" }, "pong"],
  ] as const) {
    client.send({ ...frame, id: `of-${reply}` });
    const said = await client.next(({ type }) => type === reply);
    assert.equal("id" in said && said.id, `of-${reply}`);
  }
});

for (const [name, options, code, asks] of [
  ["one connection", { maxRequestsPerConnection: 1 }, "too_many_requests", [ask("a"), ask("b")]],
  [
    "requests that wait",
    { maxRequestsPerConnection: 1 },
    "too_many_requests",
    [1, 2, 3, 4].map(() => ({ ...ask("a"), id: undefined })),
  ],
  ["one owner", { maxRequestsPerOwner: 1 }, "too_many_requests", [ask("a"), ask("b")]],
  ["the server", { maxRequests: 1 }, "overloaded", [ask("a"), ask("b")]],
] as const)
  test(`a refusal for want of room says when to come again: ${name}`, async () => {
    await using system = await startHanging(options);
    const client = await system.server.connect();
    for (const frame of asks) client.send(frame);
    const refused = await client.next(isError);
    assert.ok(refused.type === "error" && refused.code === code);
    assert.ok((refused.retry_after_ms ?? 0) > 0, JSON.stringify(refused));
  });

test("the first message of a lane tells the conversation, and a persona's answer its message", async () => {
  await using server = await startTroupe();
  const client = await server.connect();
  client.send({
    type: "multi_chat",
    id: "r",
    data: { message: "Hi", max_tokens: 3, persona_ids: ["teacher", "skeptic"] },
  });
  const messages = await client.untilTerminal("r");
  const end = messages.at(-1);
  assert.ok(end?.type === "response" && end.request_type === "multi_chat");
  const { conversation_id, responses } = end.data;
  const told = messages.flatMap((one) =>
    one.type === "status" && one.status === "starting" ? [one.conversation_id] : [],
  );
  assert.deepEqual(told, [conversation_id, conversation_id]);
  const ids = messages.flatMap((one) =>
    one.type === "persona_response" ? [[one.index, one.message_id]] : [],
  );
  assert.deepEqual(
    ids.toSorted(),
    responses.map(({ index, message_id }) => [index, message_id]),
  );
  const stored = await (await fetch(`${server.httpUrl}/api/conversations/${conversation_id}`)).json();
  const { messages: kept } = stored as { messages: { id: string; role: string }[] };
  const answers = kept.filter(({ role }) => role === "assistant").map(({ id }) => id);
  assert.deepEqual(
    answers,
    responses.map(({ message_id }) => message_id),
  );
});

test("the error of a chat names its persona, that of several does not", async () => {
  await using upstream = await createUpstreamDouble();
  upstream.respond(() =>
    streamScript(answer({ deltas: [], ending: { status: "failed", code: "server_error", message: "No." } })),
  );
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const client = await server.connect();
  client.send(chat("one"));
  const one = (await client.untilTerminal("one")).at(-1);
  assert.ok(one?.type === "error" && one.persona_id === "teacher", JSON.stringify(one));
  client.send({
    type: "multi_chat",
    id: "two",
    data: { message: "Hi", persona_ids: ["teacher", "skeptic"] },
  });
  const two = (await client.untilTerminal("two")).at(-1);
  assert.ok(two?.type === "error" && two.code === "all_personas_failed" && two.persona_id === undefined);
});
