import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { followLog } from "../../src/ports/follow-log.ts";
import { type Item, textMessage } from "../../src/ports/item.ts";
import type { TurnEvent } from "../../src/ports/turn-event.ts";
import type { KeptTurn } from "../../src/ports/turn-log.ts";
import type { TurnRequest } from "../../src/ports/turn-request.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createMortalThreads } from "../crash/mortal-threads.ts";
import { answer } from "../doubles/answer.ts";
import { streamHead, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openServer } from "../support/open-turns.ts";
import { createTestClock } from "../support/test-clock.ts";

const history: readonly Item[] = [
  textMessage("system", "Be exact."),
  {
    type: "message",
    role: "user",
    parts: [
      { type: "text", text: "Where was this?" },
      { type: "image", data: "iVBORw0KGgo=", mediaType: "image/png" },
      { type: "image", url: "https://pictures.example/roof.png" },
      { type: "file", filename: "trip.pdf", data: "JVBERi0=", mediaType: "application/pdf" },
      { type: "file", url: "https://files.example/plan.pdf" },
    ],
  },
  { type: "reasoning", text: "A roof.", providerState: { provider: "another", state: { signature: "s" } } },
  textMessage("assistant", "I look it up."),
  { type: "tool-call", callId: "call-1", name: "find_place", arguments: '{"roof": "red"}' },
  { type: "tool-result", callId: "call-1", output: [{ type: "text", text: "Lucca" }] },
  { type: "tool-call", callId: "call-2", name: "draw", arguments: "{}" },
  { type: "tool-result", callId: "call-2", output: [{ type: "image", url: "https://pictures.example/map" }] },
  { type: "source", url: "https://lucca.example", title: "Lucca" },
  textMessage("assistant", "It was in Lucca."),
  textMessage("user", "When?"),
  textMessage("user", "And with whom?"),
];

/** The same as the Responses API takes it. */
const input = [
  { type: "message", role: "system", content: "Be exact." },
  {
    type: "message",
    role: "user",
    content: [
      { type: "input_text", text: "Where was this?" },
      { type: "input_image", detail: "auto", image_url: "data:image/png;base64,iVBORw0KGgo=" },
      { type: "input_image", detail: "auto", image_url: "https://pictures.example/roof.png" },
      { type: "input_file", filename: "trip.pdf", file_data: "data:application/pdf;base64,JVBERi0=" },
      { type: "input_file", file_url: "https://files.example/plan.pdf" },
    ],
  },
  { type: "message", role: "assistant", content: "I look it up." },
  { type: "function_call", call_id: "call-1", name: "find_place", arguments: '{"roof": "red"}' },
  { type: "function_call_output", call_id: "call-1", output: "Lucca" },
  { type: "function_call", call_id: "call-2", name: "draw", arguments: "{}" },
  {
    type: "function_call_output",
    call_id: "call-2",
    output: [{ type: "input_image", detail: "auto", image_url: "https://pictures.example/map" }],
  },
  { type: "message", role: "assistant", content: "It was in Lucca." },
  { type: "message", role: "user", content: "When?\n\nAnd with whom?" },
];

const parameters = { type: "object", properties: { roof: { type: "string" } } };
const functions = [{ name: "find_place", description: "Finds a place.", parameters, strict: true }];
const tools = [{ type: "function", ...functions[0] }];
const pacing = { mode: "raw", chunkChars: 50, intervalMs: 100, maxLagMs: 400 } as const;
const ofPersonas = { input: history, functions, bringsHistory: true, api: "openai", pacing } as const;

const [ada, bob] = ["Ada", "Bob"].map((name) => ({
  ...{ id: name.toLowerCase(), name, description: `${name}.`, instructions: `You are ${name}.` },
}));

/** The bodies of a request's calls, by the instructions. */
interface Row {
  readonly request: TurnRequest;
  readonly bodies: readonly object[];
}

const noteOn = (other: string, self: string) =>
  `<note>Also answering this message, each on their own: ${other}. Speak only as ${self}.</note>`;
const bodyOf = (name: string, items: readonly object[]) => ({
  ...{
    model: "gpt-4o-mini",
    input: items,
    stream: true,
    store: false,
    instructions: `You are ${name}.`,
    tools,
  },
});
const withNote = (note: string) => [
  ...input.slice(0, -1),
  { type: "message", role: "user", content: `When?\n\nAnd with whom?\n\n${note}` },
];

const rows: readonly Row[] = [
  {
    request: {
      ...{ kind: "responses", input: history, functions, includeReasoning: false, options: {}, pacing },
    },
    bodies: [{ model: "gpt-4o-mini", input, stream: true, tools }],
  },
  {
    request: { kind: "persona", personaIds: ["ada"], ...ofPersonas },
    bodies: [bodyOf("Ada", input)],
  },
  {
    request: { kind: "personas", personaIds: ["ada", "bob"], showText: true, ...ofPersonas },
    bodies: [bodyOf("Ada", withNote(noteOn("Bob", "Ada"))), bodyOf("Bob", withNote(noteOn("Ada", "Bob")))],
  },
];

async function eventsOf({ log }: KeptTurn): Promise<TurnEvent[]> {
  const events: TurnEvent[] = [];
  for await (const batch of followLog(log, { after: 0 }))
    if (batch.type === "events") events.push(...batch.events.map(({ event }) => event));
  return events;
}

/** Serves the requests of one test from one data folder and one upstream. */
async function createPlace() {
  const stack = new AsyncDisposableStack();
  const threads = stack.use(createMortalThreads());
  const place = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble());
  const open = () =>
    openServer({
      ...{ store: "sqlite", data: place.folder, personas: [ada, bob].flatMap((one) => one ?? []) },
      clock: Object.assign(createTestClock({ instantMs: 9_000 }), { newId: () => crypto.randomUUID() }),
      ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl },
    });
  /** The bodies from the n-th call on, in the order of the personas. */
  const bodies = (first = 0) =>
    upstream.requests
      .slice(first)
      .map(({ body }) => JSON.stringify(body))
      .toSorted((one, other) => Number(one.includes("You are Bob")) - Number(other.includes("You are Bob")));
  return { threads, upstream, open, bodies, [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose]() };
}

describe("a request that brings its own history", () => {
  for (const { request, bodies } of rows) {
    const expected = bodies.map((body) => JSON.stringify(body));

    it(`${request.kind}: sends its items and functions upstream, and goes into no conversation`, async () => {
      await using place = await createPlace();
      place.upstream.respond(streamScript(answer({ text: "In May, alone." })));
      await using server = await place.open();
      const { turn } = await server.ask("own", request);
      const events = await eventsOf(turn);
      assert.deepEqual(place.bodies(), expected);
      assert.equal(events.at(-1)?.type, "answer");
      assert.equal(JSON.stringify(events).includes("onversationId"), false);
      assert.equal(turn.record.conversationId, undefined);
      const { conversations } = await server.stores.conversations.list("owner", { limit: 9 });
      assert.deepEqual(conversations, []);
    });

    it(`${request.kind}: sends the same bytes again after a crash`, async () => {
      await using place = await createPlace();
      place.upstream.respond([streamHead(), { hang: true }]);
      const server = await place.open();
      await server.ask("own", request);
      await place.upstream.received(bodies.length);
      await place.threads.die();
      await using next = await place.open();
      await place.upstream.received(2 * bodies.length);
      assert.deepEqual(place.bodies(bodies.length), expected);
      place.upstream.hangUp();
      await server[Symbol.asyncDispose]();
      assert.equal(next.turns.count, 1);
    });
  }
});
