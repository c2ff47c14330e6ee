import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { answer } from "../doubles/answer.ts";
import { eventTexts } from "../doubles/event-text.ts";
import { streamHead } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startCluster } from "../support/start-cluster.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { textOf, type WireClient } from "../support/wire-client.ts";

const long = "word ".repeat(10_000);
const logBytes = 1024 ** 2;
/**
 * Bytes stored with the append that fills the log, at two bytes a character: all text that was read ahead, and the events
 * around it.
 */
const slackBytes = 2 * (262_144 + 4 * long.length);

const kinds = {
  text: { type: "response.output_text.delta", delta: long },
  reasoning: { type: "response.reasoning_summary_text.delta", delta: long },
  "a tool's payload": {
    type: "response.output_item.done",
    item: { type: "web_search_call", id: "ws_1", status: "completed", action: { query: long } },
  },
} as const;

/** A provider that sends one kind of event for ever to one model, and answers other calls with a few words. */
async function createFlood(event: (typeof kinds)[keyof typeof kinds]) {
  const upstream = await createUpstreamDouble();
  const [created = ""] = answer({});
  const [flood = ""] = eventTexts([event]);
  upstream.respond(({ body }) =>
    JSON.stringify(body).includes("flood")
      ? [streamHead(), { write: created }, { repeat: [{ write: flood }] }]
      : [streamHead(), ...answer({ deltas: ["A few ", "words."] }).map((write) => ({ write }))],
  );
  return upstream;
}

const ask = (id: string, data: object = {}) => ({
  type: "openai_chat",
  id,
  data: { input_text: id, include_reasoning: true, pacing: { mode: "raw" }, ...data },
});

async function codeOf(client: WireClient, id: string) {
  const end = (await client.untilTerminal(id)).at(-1);
  return end?.type === "error" ? end.code : end?.type;
}

for (const [kind, event] of Object.entries(kinds)) {
  for (const [name, data] of [
    ["", {}],
    [", read ahead for its budget", { budget_tokens: 900_000_000 }],
  ] as const) {
    test(`${kind} without end outgrows the memory of logs and ends its request${name}`, async () => {
      await using upstream = await createFlood(event);
      await using server = await startTroupe({
        openaiApiKey: "k",
        openaiBaseUrl: upstream.baseUrl,
        logBytes,
      });
      const client = await server.connect();
      client.send(ask("flood", data));
      assert.equal(await codeOf(client, "flood"), "answer_too_large");
      while (upstream.requests[0]?.closedAtMs === undefined) await nextLoopTurn();
      const kept = server.troupe.stats().logBytes;
      assert.ok(kept <= logBytes + slackBytes, `${kept} bytes`);
      client.send(ask("next"));
      assert.equal(await codeOf(client, "next"), "response");
    });
  }
}

test("a small answer goes on though another one has filled the memory of logs", async () => {
  await using upstream = await createFlood(kinds["a tool's payload"]);
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, logBytes });
  const client = await server.connect();
  client.send(ask("small", { pacing: { mode: "fixed", chunk_chars: 1, interval_ms: 100 } }));
  await client.next(({ type }) => type === "chunk");
  client.send(ask("flood"));
  assert.equal(await codeOf(client, "flood"), "answer_too_large");
  assert.equal(textOf(await client.untilTerminal("small")), "A few words.");
});

test("an answer that outgrows its log keeps its place in the conversation, as far as it was shown", async () => {
  await using upstream = await createFlood(kinds.text);
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, logBytes });
  const client = await server.connect();
  const data = { message: "flood", persona_ids: ["teacher", "skeptic"], pacing: { mode: "raw" } };
  client.send({ type: "multi_chat", id: "both", data });
  const messages = await client.untilTerminal("both");
  const answers = messages.filter((message) => message.type === "persona_response");
  assert.deepEqual(
    answers.map(({ status, error }) => [status, error?.code]),
    [
      ["failed", "answer_too_large"],
      ["failed", "answer_too_large"],
    ],
  );
  for (const { persona_id, response } of answers) assert.equal(textOf(messages, persona_id), response);
});

test("the log of a request that runs in a worker is full when the first process says so", async () => {
  await using upstream = await createFlood(kinds["a tool's payload"]);
  const options = { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl };
  await using cluster = await startCluster(1, options);
  const client = await cluster.servers[0]?.connect();
  assert.ok(client !== undefined);
  client.send(ask("flood"));
  assert.equal(await codeOf(client, "flood"), "answer_too_large");
  assert.equal(upstream.requests.length, 1);
});
