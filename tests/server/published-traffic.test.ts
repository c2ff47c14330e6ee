import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv } from "ajv";
import { wireLimits } from "../../src/protocol/limits.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { textOf } from "../support/wire-client.ts";

/** The document that a server publishes, as another implementation reads it. */
async function publishedSchemas(httpUrl: string) {
  const response = await fetch(`${httpUrl}/asyncapi.json`);
  assert.equal(response.headers.get("content-type"), "application/json");
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema((await response.json()) as object, "troupe");
  const fits = (name: string) => {
    const check = ajv.getSchema(`troupe#/components/schemas/${name}`);
    assert.ok(check !== undefined, name);
    return (message: unknown) =>
      assert.ok(
        check(message),
        `${JSON.stringify(message).slice(0, 300)}: ${JSON.stringify(check.errors?.slice(0, 3))}`,
      );
  };
  return { ofClient: fits("ClientMessage"), ofServer: fits("ServerMessage") };
}

test("every type of message from both sides matches the published document", async () => {
  await using upstream = await createUpstreamDouble();
  const gate = createGate();
  upstream.respond((_, index) => [
    ...(index === 1 ? [{ waitFor: gate.opened }] : []),
    ...streamScript(
      answer({
        text: index === 0 ? "x".repeat(1_100_000) : "Hello.",
        reasoning: ["Thinking."],
        tool: { type: "web_search", query: "cats" },
      }),
    ),
  ]);
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const { ofClient, ofServer } = await publishedSchemas(server.httpUrl);
  const client = await server.connect();
  const send = (message: object) => {
    ofClient(message);
    client.send(message);
  };
  const raw = { mode: "raw" };
  send({ type: "openai_chat", id: "long", data: { input_text: "Hi", include_reasoning: true, pacing: raw } });
  await client.untilTerminal("long");
  send({ type: "openai_chat", id: "stopped", data: { input_text: "Hi", options: { temperature: 1 } } });
  await client.next((message) => message.type === "status" && message.request_id === "stopped");
  send({ type: "cancel", id: "c", data: { request_id: "stopped" } });
  await client.untilTerminal("stopped");
  gate.open();
  send({ type: "chat", id: "chat", data: { message: "Hi", persona_id: "teacher", conversation_id: "new" } });
  const [start] = await client.untilTerminal("chat");
  assert.ok(start?.type === "status" && start.conversation_id !== undefined);
  const { conversation_id } = start;
  send({ type: "follow", data: { conversation_id } });
  send({
    type: "multi_chat",
    id: "both",
    data: { message: "Hi", persona_ids: ["teacher", "skeptic"], conversation_id },
  });
  await client.untilTerminal("both");
  const other = await server.connect();
  const follow = { type: "follow", data: { conversation_id, after: "chat" } };
  ofClient(follow);
  other.send(follow);
  await other.untilTerminal("both");
  send({ type: "resume", data: { request_id: "both", after_seq: 3 } });
  send({ type: "resume", data: { request_id: "never", after_seq: 0 } });
  send({ type: "unfollow", data: { conversation_id } });
  send({ type: "ping", id: "p" });
  await client.next(({ type }) => type === "pong");
  const said = [...client.received, ...other.received];
  for (const message of said) ofServer(message);
  const types = new Set(said.map(({ type }) => type));
  const expected = ["status", "chunk", "reasoning", "tool", "persona_response", "response", "error", "part"];
  assert.deepEqual(
    types,
    new Set([...expected, "resumed", "cancelling", "following", "unfollowed", "question", "pong"]),
  );
  assert.throws(() => ofServer({ type: "chunk", chunk: 7 }));
});

for (const kind of ["openai_chat", "chat", "multi_chat", "multi_chat without chunks"] as const)
  test(`3,000,000 characters are read by a client whose limit is 1 MiB, live and resumed: ${kind}`, async () => {
    await using upstream = await createUpstreamDouble();
    const text = 'Ein "Zeichen"\n雨 👩‍🚀 '.repeat(3_000_000 / 20);
    upstream.respond(() => streamScript(answer({ deltas: text.match(/[\s\S]{1,50000}/gu) ?? [] })));
    await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
    const type = kind.split(" ", 1)[0];
    const ask = {
      openai_chat: { input_text: "Hi" },
      chat: { message: "Hi", persona_id: "teacher" },
      multi_chat: { message: "Hi", persona_ids: ["teacher"] },
      "multi_chat without chunks": { message: "Hi", persona_ids: ["teacher"], stream: false },
    }[kind];
    const client = await server.connect({ maxPayload: wireLimits.serverMessageBytes });
    client.send({ type, id: "long", data: { ...ask, pacing: { mode: "raw" } } });
    const live = await client.untilTerminal("long");
    const again = await server.connect({ maxPayload: wireLimits.serverMessageBytes });
    again.send({ type: "resume", data: { request_id: "long", after_seq: 0 } });
    const resumed = await again.untilTerminal("long");
    for (const messages of [live, resumed.slice(1)]) {
      if (kind !== "multi_chat without chunks") assert.equal(textOf(messages), text);
      const { short, whole } = lastOf(messages);
      assert.ok(short.type === "response" && whole.type === "response" && short.in_parts !== undefined);
      assert.equal(whole.request_id, "long");
      assert.equal(whole.seq, short.seq);
      const data = whole.data as {
        responses?: { response: string }[];
        response?: string;
        output_text?: string;
      };
      assert.equal(data.responses?.[0]?.response ?? data.response ?? data.output_text, text);
    }
  });

/** The last message as it arrived, and as its parts give it, joined as PROTOCOL.md says. */
function lastOf(messages: readonly ServerMessage[]): { short: ServerMessage; whole: ServerMessage } {
  const short = messages.at(-1);
  assert.ok(short !== undefined && "in_parts" in short && short.in_parts !== undefined);
  const parts = messages
    .slice(-1 - short.in_parts, -1)
    .map((part) => (part.type === "part" ? part.json : ""));
  return { short, whole: JSON.parse(parts.join("")) as ServerMessage };
}
