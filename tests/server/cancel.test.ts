import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../doubles/answer.ts";
import type { Script } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { textOf } from "../support/wire-client.ts";

const deltas = ["Once ", "upon ", "a ", "time ", "there ", "was "];
/** Everything up to the last delta, then silence. */
const endless: Script = [...streamScript(answer({ deltas }).slice(0, 4 + deltas.length)), { hang: true }];

async function startEndless() {
  const upstream = await createUpstreamDouble({ keepAlive: false });
  upstream.respond(endless);
  const clock = createTestClock();
  const server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, clock });
  const stack = new AsyncDisposableStack();
  stack.use(upstream);
  stack.use(server);
  return { upstream, server, clock, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("cancel flushes the generated text, closes the upstream connection and reports it", async () => {
  await using system = await startEndless();
  const client = await system.server.connect();
  client.send({
    type: "openai_chat",
    id: "stop-me",
    data: { input_text: "Tell.", pacing: { chunk_chars: 3 } },
  });
  await client.next((message) => message.type === "chunk");
  client.send({ type: "cancel", data: { request_id: "stop-me" } });
  const messages = await client.untilTerminal("stop-me");
  const terminal = messages.at(-1);
  assert.ok(terminal?.type === "response" && terminal.status === "cancelled");
  assert.equal(terminal.finish_reason, "cancelled");
  const data = terminal.data as Record<string, unknown>;
  assert.equal(data.output_text, textOf(messages));
  assert.equal(data.status, "cancelled");
  assert.equal((data.cancel as { upstream_closed: boolean }).upstream_closed, true);
  assert.equal((data.usage as { estimated: boolean }).estimated, true);
  assert.ok("Once upon a time there was ".startsWith(textOf(messages)) && textOf(messages).length > 3);
  assert.equal(messages.filter((message) => message.type === "chunk" && message.is_final).length, 1);
  await system.upstream.closed(await system.upstream.received(1));
  assert.equal(system.upstream.openConnections(), 0);
});

test("cancel of one lane leaves the other lanes running; then of the rest", async () => {
  await using system = await startEndless();
  const client = await system.server.connect();
  client.send({ type: "multi_chat", id: "m", data: { message: "Hi", persona_ids: ["teacher", "skeptic"] } });
  await client.next((message) => message.type === "chunk" && message.persona_id === "teacher");
  await client.next((message) => message.type === "chunk" && message.persona_id === "skeptic");
  client.send({ type: "cancel", data: { request_id: "m", persona_id: "teacher" } });
  const lane = await client.next((message) => message.type === "persona_response");
  assert.ok(lane.type === "persona_response" && lane.persona_id === "teacher" && lane.status === "cancelled");
  assert.equal(lane.cancel?.upstream_closed, true);
  assert.equal(system.server.troupe.stats().turns, 1);

  client.send({ type: "cancel", id: "c2", data: { request_id: "m", persona_id: "teacher" } });
  const again = await client.next((message) => message.type === "error");
  assert.ok(again.type === "error" && again.code === "request_ended");
  client.send({ type: "cancel", data: { request_id: "m", persona_id: "historian" } });
  const unknown = await client.next((message) => message.type === "error");
  assert.ok(unknown.type === "error" && unknown.code === "persona_not_found");

  client.send({ type: "cancel", data: { request_id: "m" } });
  const end = await client.next((message) => message.type === "response");
  assert.ok(end.type === "response" && end.status === "cancelled" && "responses" in end.data);
  const statuses = (end.data.responses as { status: string }[]).map(({ status }) => status);
  assert.deepEqual(statuses, ["cancelled", "cancelled"]);
});

test("cancel of an unknown or ended request, or twice", async () => {
  await using system = await startEndless();
  const client = await system.server.connect();
  client.send({ type: "cancel", data: { request_id: "nothing" } });
  const unknown = await client.next();
  assert.ok(unknown.type === "error" && unknown.code === "request_not_found");
  client.send({ type: "openai_chat", id: "x", data: { input_text: "Tell." } });
  await client.next((message) => message.type === "chunk");
  client.send({ type: "cancel", data: { request_id: "x" } });
  client.send({ type: "cancel", data: { request_id: "x" } });
  await client.next((message) => message.type === "response");
  client.send({ type: "cancel", data: { request_id: "x" } });
  const late = await client.next((message) => message.type === "error");
  assert.ok(late.type === "error" && late.code === "request_ended");
  const ends = client.received.filter((message) => message.type === "response");
  assert.equal(ends.length, 1);
});

test("cancel before the upstream answers, in the same packet as the request", async () => {
  await using system = await startEndless();
  system.upstream.respond([{ hang: true }]);
  const client = await system.server.connect();
  client.send({ type: "chat", id: "early", data: { message: "Hi", persona_id: "teacher" } });
  client.send({ type: "cancel", data: { request_id: "early" } });
  const messages = await client.untilTerminal("early");
  const terminal = messages.at(-1);
  assert.ok(terminal?.type === "response" && terminal.status === "cancelled" && "response" in terminal.data);
  assert.equal(terminal.data.response, "");
  assert.equal(messages.filter((message) => message.type === "chunk" && message.is_final).length, 1);
  assert.equal(system.upstream.openConnections(), 0);
});

test("a background response is cancelled at the vendor, because closing its connection does not stop it", async () => {
  await using system = await startEndless();
  const client = await system.server.connect();
  client.send({ type: "openai_chat", id: "b", data: { input_text: "Tell.", options: { background: true } } });
  await client.next((message) => message.type === "chunk");
  client.send({ type: "cancel", data: { request_id: "b" } });
  await client.untilTerminal("b");
  assert.match(system.upstream.sideRequests[0]?.path ?? "", /^\/v1\/responses\/resp_[^/]+\/cancel$/);
});
