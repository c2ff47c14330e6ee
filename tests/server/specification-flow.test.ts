import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { textOf } from "../support/wire-client.ts";

const longText = "Streaming a long enough answer shows how it is cut into pieces, one after another. ".repeat(
  6,
);

async function startWithUpstream(text = longText) {
  const upstream = await createUpstreamDouble();
  upstream.respond(() =>
    streamScript(answer({ text, responseId: "resp_1", model: "gpt-4o-mini-2024-07-18" })),
  );
  const clock = createTestClock({ instantMs: 1_000 });
  const server = await startTroupe({ openaiApiKey: "test-key", openaiBaseUrl: upstream.baseUrl, clock });
  const stack = new AsyncDisposableStack();
  stack.use(upstream);
  stack.use(server);
  return { upstream, server, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** `starting, processing, streaming, chunk, completed, response`: every run of chunks counts as one. */
function flow(messages: readonly ServerMessage[]): string[] {
  const names = messages.map((message) => (message.type === "status" ? message.status : message.type));
  return names.filter((name, index) => name !== "chunk" || names[index - 1] !== "chunk");
}

function chunksOf(messages: readonly ServerMessage[], personaId?: string) {
  return messages
    .filter((message) => message.type === "chunk")
    .filter((message) => personaId === undefined || message.persona_id === personaId);
}

test("openai_chat: the specification's request gives its flow", async () => {
  await using system = await startWithUpstream();
  const client = await system.server.connect();
  const model = "gpt-4o-mini-2024-07-18";
  system.upstream.respond((_, index) =>
    streamScript(answer({ text: longText, responseId: index === 0 ? "resp_earlier" : "resp_1", model })),
  );
  // The request continues an earlier response of the caller.
  client.send({ type: "openai_chat", data: { input_text: "Earlier" } });
  await client.untilTerminal();
  client.sendText(`{
  "type": "openai_chat",
  "data": {
    "input_text": "Your message here",
    "model": "gpt-4o-mini",
    "previous_response_id": "resp_earlier",
    "tools": [{"type": "web_search"}],
    "include_reasoning": false
  }
}`);
  const messages = await client.untilTerminal();

  assert.deepEqual(flow(messages), ["starting", "processing", "streaming", "chunk", "completed", "response"]);
  const chunks = chunksOf(messages);
  assert.ok(chunks.length >= longText.length / 50);
  assert.ok(chunks.every(({ chunk }) => [...chunk].length <= 50));
  assert.deepEqual(
    chunks.map((chunk) => chunk.is_final),
    chunks.map((_, index) => index === chunks.length - 1),
  );
  assert.equal(textOf(messages), longText);
  assert.deepEqual(
    messages.map((message) => "seq" in message && message.seq),
    messages.map((_, index) => index + 1),
  );
  const terminal = messages.at(-1);
  assert.ok(terminal?.type === "response");
  assert.equal(terminal.status, "completed");
  const data = terminal.data as Record<string, unknown>;
  assert.equal(data.id, "resp_1");
  assert.equal(data.object, "response");
  assert.equal(data.status, "completed");
  assert.equal(data.output_text, longText);
  assert.ok(Array.isArray(data.output));

  const [, call] = system.upstream.requests;
  assert.equal(call?.headers.authorization, "Bearer test-key");
  assert.deepEqual(call?.body, {
    model: "gpt-4o-mini",
    input: "Your message here",
    stream: true,
    previous_response_id: "resp_earlier",
    tools: [{ type: "web_search" }],
  });
});

test("chat: one persona answers, in character and in its lane", async () => {
  await using system = await startWithUpstream();
  const client = await system.server.connect();
  client.send({
    type: "chat",
    data: {
      message: "What's your favorite programming language?",
      persona_id: "tech_enthusiast",
      api: "openai",
      model: "gpt-4o-mini",
      temperature: 0.7,
      max_tokens: 1000,
    },
  });
  const messages = await client.untilTerminal();

  assert.deepEqual(flow(messages), ["starting", "processing", "streaming", "chunk", "completed", "response"]);
  const chunks = chunksOf(messages, "tech_enthusiast");
  assert.ok(chunks.length > 1 && chunks.every(({ chunk }) => [...chunk].length <= 30));
  const terminal = messages.at(-1);
  assert.ok(terminal?.type === "response" && "persona" in terminal.data);
  assert.equal(terminal.data.response, longText);
  assert.equal((terminal.data.persona as { id: string }).id, "tech_enthusiast");
  assert.equal(terminal.data.model, "gpt-4o-mini-2024-07-18");

  const body = system.upstream.requests[0]?.body as Record<string, unknown>;
  assert.equal(body.temperature, 0.7);
  assert.equal(body.max_output_tokens, 1000);
  assert.deepEqual(body.input, [
    { type: "message", role: "user", content: "What's your favorite programming language?" },
  ]);
  assert.ok(typeof body.instructions === "string" && body.instructions.length > 200);
  assert.ok(
    !JSON.stringify(messages).includes(body.instructions.slice(0, 40)),
    "the system prompt stays here",
  );
});

test("multi_chat: three personas stream at the same time, each attributed", async () => {
  await using system = await startWithUpstream();
  const client = await system.server.connect();
  const persona_ids = ["tech_enthusiast", "creative_writer", "data_scientist"];
  client.send({
    type: "multi_chat",
    data: { message: "What do you think about AI?", persona_ids, api: "openai" },
  });
  const messages = await client.untilTerminal();

  for (const id of persona_ids) {
    const lane = messages.filter((message) => "persona_id" in message && message.persona_id === id);
    assert.deepEqual(flow(lane), [
      "starting",
      "processing",
      "streaming",
      "chunk",
      "completed",
      "persona_response",
    ]);
    assert.equal(textOf(lane), longText);
    assert.equal(chunksOf(lane).filter((chunk) => chunk.is_final).length, 1);
  }
  const speakers = chunksOf(messages).map((chunk) => chunk.persona_id);
  const changes = speakers.filter((speaker, index) => index > 0 && speaker !== speakers[index - 1]).length;
  assert.ok(changes > speakers.length / 2, `interleaved: ${changes} changes in ${speakers.length} chunks`);

  const terminal = messages.at(-1);
  assert.ok(terminal?.type === "response" && "responses" in terminal.data);
  assert.deepEqual(
    (terminal.data.responses as { persona_id: string; index: number }[]).map(({ persona_id, index }) => [
      persona_id,
      index,
    ]),
    persona_ids.map((id, index) => [id, index]),
  );
  assert.equal(terminal.data.outcome, "complete");
  assert.equal(system.upstream.requests.length, 3);
});

test("multi_chat with stream: false leaves the chunks out and keeps the rest", async () => {
  await using system = await startWithUpstream();
  const client = await system.server.connect();
  client.send({
    type: "multi_chat",
    data: { message: "Hi", persona_ids: ["teacher", "skeptic"], stream: false },
  });
  const messages = await client.untilTerminal();
  assert.equal(chunksOf(messages).length, 0);
  const answers = messages.filter((message) => message.type === "persona_response");
  assert.deepEqual(
    answers.map(({ response }) => response),
    [longText, longText],
  );
});

test("options and include_reasoning reach the upstream; reasoning and tools are returned", async () => {
  await using system = await startWithUpstream();
  system.upstream.respond(() =>
    streamScript(
      answer({ text: "Done.", reasoning: ["First ", "this."], tool: { type: "web_search", query: "x" } }),
    ),
  );
  const client = await system.server.connect();
  const options = {
    instructions: "Be brief.",
    store: false,
    metadata: { a: "b" },
    reasoning: { effort: "low" },
  };
  client.send({ type: "openai_chat", data: { input_text: "Hi", include_reasoning: true, options } });
  const messages = await client.untilTerminal();
  assert.deepEqual(system.upstream.requests[0]?.body, {
    ...options,
    model: "gpt-4o-mini",
    input: "Hi",
    stream: true,
    reasoning: { summary: "auto", effort: "low" },
    include: ["reasoning.encrypted_content"],
  });
  const reasoning = messages.filter((message) => message.type === "reasoning");
  assert.equal(reasoning.map(({ text }) => text).join(""), "First this.");
  const tools = messages.filter((message) => message.type === "tool");
  assert.deepEqual(
    tools.map(({ tool, status }) => [tool, status]),
    [
      ["web_search", "in_progress"],
      ["web_search", "searching"],
      ["web_search", "completed"],
    ],
  );
});

test("unknown types and malformed frames get an error, and the socket stays usable", async () => {
  await using system = await startWithUpstream();
  const client = await system.server.connect();
  client.sendText("{not json");
  client.send({ type: "dance", id: "d1", data: {} });
  client.send({ type: "chat", id: "c1", data: { message: "Hi", persona_id: "nobody" } });
  client.send({ type: "openai_chat", id: "o1", data: { input_text: "Hi", options: { temprature: 1 } } });
  client.sendBinary(Buffer.from('{"type":"ping"}'));
  const errors: unknown[] = [];
  for (let count = 0; count < 5; count += 1) {
    const error = await client.next();
    assert.ok(error.type === "error" && error.status === "error" && error.seq === undefined);
    errors.push([error.code, error.field, error.in_reply_to]);
  }
  assert.deepEqual(errors, [
    ["invalid_json", undefined, undefined],
    ["unknown_type", "type", { type: "dance", id: "d1" }],
    ["persona_not_found", "data.persona_id", { type: "chat", id: "c1" }],
    ["invalid_message", "data.options.temprature", { type: "openai_chat", id: "o1" }],
    ["binary_not_supported", undefined, undefined],
  ]);
  client.send({ type: "ping", id: "p1" });
  assert.deepEqual(await client.next(), { type: "pong", id: "p1" });
  client.send({ type: "openai_chat", data: { input_text: "Still there?" } });
  assert.equal((await client.untilTerminal()).at(-1)?.type, "response");
});
