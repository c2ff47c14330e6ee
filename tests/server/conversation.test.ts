import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type RecordedRequest } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

async function startEcho() {
  const upstream = await createUpstreamDouble();
  upstream.respond((_, index) => streamScript(answer({ text: `Answer ${index + 1}.\nSecond line.` })));
  const clock = createTestClock({ instantMs: 1_000 });
  const server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, clock });
  const stack = new AsyncDisposableStack();
  stack.use(upstream);
  stack.use(server);
  return { upstream, server, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const inputOf = (request: RecordedRequest | undefined) =>
  (request?.body as { input: unknown } | undefined)?.input;

function conversationOf(message: { type: string } | undefined): string {
  assert.ok(message?.type === "response" && "data" in message);
  return String((message.data as { conversation_id?: string }).conversation_id);
}

test("the socket's own conversation keeps the context, personas see each other's words quoted under their names", async () => {
  await using system = await startEcho();
  const client = await system.server.connect();
  client.send({ type: "chat", data: { message: "First?", persona_id: "teacher" } });
  const first = conversationOf((await client.untilTerminal()).at(-1));
  client.send({ type: "multi_chat", data: { message: "Second?", persona_ids: ["teacher", "skeptic"] } });
  const second = conversationOf((await client.untilTerminal()).at(-1));
  assert.equal(second, first);
  const skeptic = system.upstream.requests.find((request) =>
    JSON.stringify(request.body).includes("Speak only as Viktor"),
  );
  assert.deepEqual(inputOf(skeptic), [
    {
      type: "message",
      role: "user",
      content: [
        ...["First?", "(Joyce, teacher answered:)\n> Answer 1.\n> Second line.", "Second?"],
        "<note>Also answering this message, each on their own: Joyce, teacher. Speak only as Viktor, skeptic.</note>",
      ].join("\n\n"),
    },
  ]);
  client.send({ type: "chat", data: { message: "Third?", persona_id: "teacher" } });
  await client.untilTerminal();
  const roles = (inputOf(system.upstream.requests.at(-1)) as { role: string }[]).map(({ role }) => role);
  assert.deepEqual(roles, ["user", "assistant", "user", "assistant", "user"]);
});

test("another socket continues a conversation by its id; new starts another; an unknown one is refused", async () => {
  await using system = await startEcho();
  const client = await system.server.connect();
  client.send({ type: "chat", data: { message: "First?", persona_id: "teacher" } });
  const conversation_id = conversationOf((await client.untilTerminal()).at(-1));
  const other = await system.server.connect();
  other.send({ type: "chat", data: { message: "Second?", persona_id: "teacher", conversation_id } });
  await other.untilTerminal();
  assert.equal((inputOf(system.upstream.requests[1]) as unknown[]).length, 3);
  client.send({ type: "chat", data: { message: "Anew.", persona_id: "teacher", conversation_id: "new" } });
  assert.notEqual(conversationOf((await client.untilTerminal()).at(-1)), conversation_id);
  assert.equal((inputOf(system.upstream.requests[2]) as unknown[]).length, 1);
  client.send({ type: "chat", data: { message: "?", persona_id: "teacher", conversation_id: "made-up" } });
  const refused = await client.next((message) => message.type === "error");
  assert.ok(refused.type === "error" && refused.code === "conversation_not_found");
});

test("turns that run at the same time branch from the head they started at", async () => {
  await using system = await startEcho();
  const client = await system.server.connect();
  client.send({ type: "chat", data: { message: "Root.", persona_id: "teacher" } });
  await client.untilTerminal();
  // Neither request ends before both have started.
  const both = createGate();
  system.upstream.respond([{ waitFor: both.opened }, ...streamScript(answer({ text: "Answer." }))]);
  client.send({ type: "chat", id: "left", data: { message: "Left?", persona_id: "teacher" } });
  client.send({ type: "chat", id: "right", data: { message: "Right?", persona_id: "teacher" } });
  await system.upstream.received(3);
  both.open();
  await Promise.all([client.untilTerminal("left"), client.untilTerminal("right")]);
  const contexts = system.upstream.requests.slice(1).map((request) => JSON.stringify(inputOf(request)));
  assert.ok(contexts.every((context) => context.includes("Root.")));
  assert.ok(!contexts.some((context) => context.includes("Left?") && context.includes("Right?")));
});

test("requests without an id are answered one after another; those with an id at the same time", async () => {
  await using system = await startEcho();
  const gates = [createGate(), createGate()];
  system.upstream.respond((_, index) => {
    const script = streamScript(answer({ text: `Answer ${index}.` }));
    const gate = gates[index];
    return gate === undefined ? script : [{ waitFor: gate.opened }, ...script];
  });
  const client = await system.server.connect();
  client.send({ type: "openai_chat", data: { input_text: "one" } });
  client.send({ type: "openai_chat", data: { input_text: "two" } });
  client.send({ type: "openai_chat", id: "named", data: { input_text: "three" } });
  await system.upstream.received(2);
  assert.deepEqual(system.upstream.requests.map(inputOf), ["one", "three"]);
  gates[1]?.open();
  await client.untilTerminal("named");
  gates[0]?.open();
  const first = (await client.next(
    (message) => message.type === "response" && message.request_id !== "named",
  )) as {
    request_id: string;
  };
  const second = (await client.next((message) => message.type === "response")) as { request_id: string };
  assert.notEqual(first.request_id, second.request_id);
  const starts = client.received.filter(
    (message) => message.type === "status" && message.status === "starting",
  );
  const firstEnd = client.received.findIndex(
    (m) => m.type === "response" && m.request_id === first.request_id,
  );
  const secondStart = client.received.findIndex(
    (m) => "request_id" in m && m.request_id === second.request_id,
  );
  assert.equal(starts.length, 3);
  assert.ok(secondStart > firstEnd);
});

test("a second device follows the conversation: running turns, later ones, and their questions", async () => {
  await using system = await startEcho();
  const gate = createGate();
  const client = await system.server.connect();
  client.send({ type: "chat", id: "before", data: { message: "Before?", persona_id: "teacher" } });
  const conversation_id = conversationOf((await client.untilTerminal("before")).at(-1));
  system.upstream.respond(() => [{ waitFor: gate.opened }, ...streamScript(answer({ text: "Later." }))]);
  client.send({ type: "chat", id: "running", data: { message: "Running?", persona_id: "teacher" } });
  await client.next((message) => message.type === "status" && message.request_id === "running");

  const device = await system.server.connect();
  device.send({ type: "follow", data: { conversation_id } });
  assert.deepEqual(await device.next(), {
    ...{ type: "following", conversation_id, running: ["running"] },
    last_request_id: "running",
  });
  gate.open();
  client.send({
    type: "multi_chat",
    id: "next",
    data: { message: "Next?", persona_ids: ["teacher", "skeptic"] },
  });
  const [onClient, onDevice] = await Promise.all([
    client.untilTerminal("next"),
    device.untilTerminal("next"),
  ]);
  assert.deepEqual(onDevice[0], {
    type: "question",
    conversation_id,
    request_id: "next",
    request_type: "multi_chat",
    message: "Next?",
    persona_ids: ["teacher", "skeptic"],
  });
  assert.deepEqual(onDevice.slice(1), onClient);
  const running = await device.untilTerminal("running");
  assert.equal(running.filter((message) => message.type === "question").length, 1);
  device.send({ type: "follow", data: { conversation_id: "made-up" } });
  const refused = await device.next((message) => message.type === "error");
  assert.ok(refused.type === "error" && refused.code === "conversation_not_found");
});
