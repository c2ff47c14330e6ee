import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { Persona } from "../../src/ports/persona.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer, answerParts, eventsOf } from "../doubles/answer.ts";
import { eventTexts } from "../doubles/event-text.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";

const personas = ["ada", "bob", "cleo"].map(
  (id): Persona => ({ id, name: id, description: id, instructions: `You are ${id}.` }),
);

/** A request as a prompt cache sees it: one text, of which only the start counts. */
function promptOf(body: unknown): string {
  const { instructions, input } = body as {
    instructions: string;
    input: { role: string; content: string }[];
  };
  return [instructions, ...input.map(({ role, content }) => `${role}: ${content}`)].join("\n\n");
}

/** The part of a request that a cache can keep. The part for this answer alone is at its very end. */
const lasting = (prompt: string) => prompt.replace(/\n\n<note>[^<]*<\/note>$/, "");

async function startPersonas(options: TroupeOptions) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  upstream.respond((_, index) => streamScript(answer({ deltas: [`Answer ${index} ${"word ".repeat(8)}`] })));
  const given = { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, personas, ...options };
  const start = () =>
    startTroupe({
      ...given,
      clock: Object.assign(createTestClock({ instantMs: 1_000 }), { newId: () => crypto.randomUUID() }),
    });
  const promptsOf = (id: string) =>
    upstream.requests
      .map(({ body }) => promptOf(body))
      .filter((prompt) => prompt.startsWith(`You are ${id}.`));
  return { promptsOf, start, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const ask = (turn: number, persona_ids: readonly string[], conversation_id?: string) => ({
  type: "multi_chat",
  id: `turn-${turn}`,
  data: {
    message: `Question ${turn}?`,
    persona_ids,
    ...(conversation_id === undefined ? {} : { conversation_id }),
  },
});

async function answered(client: WireClient, request: ReturnType<typeof ask>): Promise<string> {
  client.send(request);
  const end = (await client.untilTerminal(request.id)).at(-1);
  if (end?.type !== "response" || end.request_type !== "multi_chat") throw new Error(JSON.stringify(end));
  return end.data.conversation_id;
}

/** How often a request did not start with the whole request before it. */
function breaksIn(prompts: readonly string[]): number {
  return prompts.filter((prompt, index) => index > 0 && !prompt.startsWith(lasting(prompts[index - 1] ?? "")))
    .length;
}

test("every request of a persona starts with its whole previous request, in any cast", async () => {
  await using system = await startPersonas({});
  await using server = await system.start();
  const client = await server.connect();
  const casts = [["ada"], ["ada", "bob"], ["ada", "cleo"], ["ada", "bob", "cleo"], ["bob", "ada"], ["ada"]];
  for (const [turn, cast] of casts.entries()) await answered(client, ask(turn, cast));
  for (const id of ["ada", "bob", "cleo"]) {
    const prompts = system.promptsOf(id);
    assert.equal(prompts.length, casts.filter((cast) => cast.includes(id)).length);
    assert.equal(breaksIn(prompts), 0, id);
  }
});

test("a history that is full breaks the prompt once in many turns, and is two thirds full then", async () => {
  const contextChars = 1_500;
  await using system = await startPersonas({ contextChars });
  await using server = await system.start();
  const client = await server.connect();
  const turns = 50;
  for (let turn = 0; turn < turns; turn += 1) await answered(client, ask(turn, ["ada", "bob"]));
  for (const id of ["ada", "bob"]) {
    const prompts = system.promptsOf(id);
    // A turn has some 110 characters: 50 of them are eight blocks of 500 over the limit.
    const breaks = breaksIn(prompts);
    assert.ok(breaks >= 7 && breaks <= 9, `${id}: ${breaks}`);
    for (const [index, prompt] of prompts.entries()) {
      const before = prompts[index - 1] ?? "";
      if (index === 0 || prompt.startsWith(lasting(before))) continue;
      const share = prompt.length / before.length;
      assert.ok(share > 0.6 && share < 0.8, `${id}: ${share}`);
    }
  }
});

test("the start of a history stays where it is over a restart, and in another process", async () => {
  await using place = await createDataFolder();
  await using system = await startPersonas({ contextChars: 600, store: "sqlite", data: place.folder });
  let conversation: string | undefined;
  for (let turn = 0; turn < 24; turn += 6) {
    await using server = await system.start();
    const client = await server.connect();
    for (let more = 0; more < 6; more += 1)
      conversation = await answered(client, ask(turn + more, ["ada"], conversation));
  }
  const breaks = breaksIn(system.promptsOf("ada"));
  assert.ok(breaks >= 3 && breaks <= 5, `${breaks}`);
});

test("tokens that came from the vendor's cache are in the usage of every answer and of their sum", async () => {
  await using upstream = await createUpstreamDouble();
  const parts = answerParts();
  const { terminal } = parts;
  assert.ok("response" in terminal);
  const { usage } = terminal.response;
  assert.ok(usage !== null);
  const told = {
    ...usage,
    input_tokens: 100,
    input_tokens_details: { cached_tokens: 64, cache_write_tokens: 0 },
  };
  const end = { ...terminal, response: { ...terminal.response, usage: told } } as typeof terminal;
  upstream.respond(streamScript(eventTexts([...eventsOf(parts).slice(0, -1), end])));
  await using server = await startTroupe({
    ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, personas },
    clock: createTestClock({ instantMs: 1_000 }),
  });
  const client = await server.connect();
  client.send(ask(0, ["ada", "bob"]));
  const messages = await client.untilTerminal("turn-0");
  const last = messages.at(-1);
  assert.ok(last?.type === "response" && last.request_type === "multi_chat");
  const each = messages.flatMap((message) => (message.type === "persona_response" ? [message.usage] : []));
  assert.deepEqual(
    [...each, ...last.data.responses.map((one) => one.usage), last.data.usage].map(
      (one) => one?.cached_tokens,
    ),
    [64, 64, 64, 64, 128],
  );
  client.send({ type: "chat", id: "one", data: { message: "Hi", persona_id: "ada" } });
  const one = (await client.untilTerminal("one")).at(-1);
  assert.ok(one?.type === "response" && one.request_type === "chat");
  assert.deepEqual([one.data.usage?.input_tokens, one.data.usage?.cached_tokens], [100, 64]);
});

test("a conversation of an earlier version goes on, and its history is cut in blocks from there", async () => {
  await using place = await createDataFolder();
  await using system = await startPersonas({ contextChars: 600, store: "sqlite", data: place.folder });
  let conversation: string | undefined;
  {
    await using server = await system.start();
    const client = await server.connect();
    for (let turn = 0; turn < 8; turn += 1)
      conversation = await answered(client, ask(turn, ["ada"], conversation));
  }
  const database = openBeside(path.join(place.folder, "troupe.db"));
  database.exec("UPDATE messages SET path_chars = NULL");
  database.close();
  await using server = await system.start();
  const client = await server.connect();
  for (let turn = 8; turn < 32; turn += 1) await answered(client, ask(turn, ["ada"], conversation));
  const breaks = breaksIn(system.promptsOf("ada").slice(9));
  assert.ok(breaks >= 4 && breaks <= 7, `${breaks}`);
});
