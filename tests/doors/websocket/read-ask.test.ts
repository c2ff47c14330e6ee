import assert from "node:assert/strict";
import { it, test } from "node:test";
import { type DefaultPacing, readAsk, wireField } from "../../../src/doors/websocket/read-ask.ts";
import { textMessage } from "../../../src/ports/item.ts";
import type { RequestMessage } from "../../../src/protocol/client-messages.ts";
import { decodeClientMessage } from "../../../src/protocol/decode.ts";

const defaults: DefaultPacing = {
  mode: "natural",
  chunkChars: { responses: 51, personas: 31 },
  intervalMs: 101,
  maxLagMs: 401,
};
const ofResponses = { mode: "natural", chunkChars: 51, intervalMs: 101, maxLagMs: 401 };
const ofPersonas = { ...ofResponses, chunkChars: 31 };

/** The fields that every request may have. */
const said = {
  budget_tokens: 900,
  pacing: { mode: "fixed", chunk_chars: 7, interval_ms: 18, max_lag_ms: 9 },
  on_interrupt: "restart",
};
const saidPacing = { mode: "fixed", chunkChars: 7, intervalMs: 18, maxLagMs: 9 };
const saidOfPersonas = {
  ...{ message: "Hi", api: "demo", model: "m", temperature: 0, max_tokens: 20, conversation_id: "new" },
};
const input = [textMessage("user", "Hi")];
const readOfPersonas = { input, api: "demo", model: "m", temperature: 0, maxTokens: 20 };
const tool = { type: "web_search" };

/** Each frame with the request that is read from it. */
const rows: readonly (readonly [string, object, object])[] = [
  [
    "the least to a model",
    { type: "openai_chat", data: { input_text: "Hi" } },
    {
      request: {
        ...{ kind: "responses", input, includeReasoning: false, options: {}, pacing: ofResponses },
      },
    },
  ],
  [
    "everything to a model",
    {
      ...{ type: "openai_chat", id: "r" },
      data: {
        ...{
          input_text: "Hi",
          api: "groq",
          model: "m",
          fallback: [{ api: "a", model: null }, {}],
          previous_response_id: "resp_1",
          include_reasoning: true,
        },
        ...{ tools: [tool], options: { top_p: 0.5 }, on_disconnect: 0, ...said },
      },
    },
    {
      ...{ id: "r", whenUnwatched: 0, whenInterrupted: "restart" },
      request: {
        ...{ kind: "responses", input, includeReasoning: true, options: { top_p: 0.5 } },
        fallback: [{ api: "a" }, {}],
        ...{ api: "groq", model: "m", previousResponseId: "resp_1", tools: [tool], budgetTokens: 900 },
        pacing: saidPacing,
      },
    },
  ],
  [
    "options with a meaning for the server",
    {
      type: "openai_chat",
      data: { input_text: "Hi", options: { background: true, store: false, max_output_tokens: 20 } },
    },
    {
      request: {
        ...{ kind: "responses", input, includeReasoning: false, pacing: ofResponses },
        options: { background: true, store: false, max_output_tokens: 20 },
        ...{ inBackground: true, isTransient: true, maxTokens: 20 },
      },
    },
  ],
  [
    "options that say what is so without them",
    { type: "openai_chat", data: { input_text: "Hi", options: { background: false, store: true } } },
    {
      request: {
        ...{ kind: "responses", input, includeReasoning: false, pacing: ofResponses },
        options: { background: false, store: true },
      },
    },
  ],
  [
    "the least to a persona",
    { type: "chat", data: { message: "Hi", persona_id: "teacher" } },
    {
      request: { kind: "persona", input, personaIds: ["teacher"], pacing: ofPersonas },
    },
  ],
  [
    "everything to a persona",
    {
      ...{ type: "chat", id: "r" },
      data: { ...saidOfPersonas, persona_id: "teacher", on_disconnect: "cancel", ...said },
    },
    {
      ...{ id: "r", conversation: "new", whenUnwatched: 0, whenInterrupted: "restart" },
      request: {
        ...{ kind: "persona", personaIds: ["teacher"], ...readOfPersonas },
        ...{ budgetTokens: 900, pacing: saidPacing },
      },
    },
  ],
  [
    "the least to several personas",
    { type: "multi_chat", data: { message: "Hi", persona_ids: ["teacher", "skeptic"] } },
    {
      request: {
        ...{ kind: "personas", input, personaIds: ["teacher", "skeptic"] },
        ...{ showText: true, pacing: ofPersonas },
      },
    },
  ],
  [
    "everything to several personas",
    {
      ...{ type: "multi_chat", id: "r" },
      data: {
        ...{ ...saidOfPersonas, persona_ids: ["teacher"], stream: false, on_disconnect: "finish", ...said },
        members: [{ persona_id: "teacher", api: "house", model: null }],
      },
    },
    {
      ...{ id: "r", conversation: "new", whenUnwatched: "finish", whenInterrupted: "restart" },
      request: {
        ...{ kind: "personas", personaIds: ["teacher"], showText: false, ...readOfPersonas },
        members: [{ personaId: "teacher", api: "house" }],
        ...{ budgetTokens: 900, pacing: saidPacing },
      },
    },
  ],
];

function decode(frame: object): RequestMessage {
  const decoded = decodeClientMessage(JSON.stringify(frame));
  if (!decoded.ok) throw decoded.error;
  const { message } = decoded;
  assert.ok(message.type === "openai_chat" || message.type === "chat" || message.type === "multi_chat");
  return message;
}

for (const [name, frame, expected] of rows)
  test(`a frame becomes exactly its request: ${name}`, () => {
    const { content: _, ...ask } = readAsk(decode(frame), defaults);
    assert.deepEqual(ask, expected);
  });

const contentOf = (frame: object) => JSON.stringify(readAsk(decode(frame), defaults).content);
const least: Record<"openai_chat" | "chat" | "multi_chat", object> = {
  openai_chat: { input_text: "Hi" },
  chat: { message: "Hi", persona_id: "teacher" },
  multi_chat: { message: "Hi", persona_ids: ["teacher", "skeptic"] },
};

/** Additions that leave a request the same. Each is tried with the minimum of its type. */
const sameContent = {
  openai_chat: [{ include_reasoning: false }, { options: {} }, { options: { store: null } }],
  chat: [{ api: "openai" }],
  multi_chat: [{ api: "openai" }, { stream: true }],
} as const;
const sameForAll: readonly object[] = [
  ...[{ on_disconnect: "cancel" }, { on_disconnect: 5 }, { on_interrupt: "restart" }, { pacing: {} }],
  ...[{ pacing: null, model: null }, { unknown: 1 }, { pacing: { mode: null } }],
];
/** Additions that make it another request. The server's own defaults may change later, so naming one counts too. */
const otherContent = {
  openai_chat: [
    ...[{ input_text: "Ho" }, { include_reasoning: true }, { options: { store: true } }],
    ...[{ previous_response_id: "r" }, { tools: [] }],
  ],
  chat: [
    ...[{ message: "Ho" }, { persona_id: "skeptic" }, { api: "demo" }, { conversation_id: "new" }],
    ...[{ temperature: 0 }, { max_tokens: 1 }],
  ],
  multi_chat: [{ persona_ids: ["skeptic", "teacher"] }, { stream: false }],
} as const;
const otherForAll: readonly object[] = [
  ...[{ model: "gpt-4o-mini" }, { budget_tokens: 1 }, { pacing: { mode: "natural" } }],
  { pacing: { interval_ms: 100 } },
];

for (const type of ["openai_chat", "chat", "multi_chat"] as const) {
  const plain = contentOf({ type, data: least[type] });
  for (const more of [...sameContent[type], ...sameForAll])
    test(`the content of ${type} is the same with ${JSON.stringify(more)}`, () => {
      assert.equal(contentOf({ type, id: "r", data: { ...least[type], ...more } }), plain);
    });
  for (const more of [...otherContent[type], ...otherForAll])
    test(`the content of ${type} is another with ${JSON.stringify(more)}`, () => {
      assert.notEqual(contentOf({ type, data: { ...least[type], ...more } }), plain);
    });
}

test("the content of a request holds none of the server's defaults or words", () => {
  for (const type of ["openai_chat", "chat", "multi_chat"] as const)
    assert.deepEqual(JSON.parse(contentOf({ type, data: least[type] })), { type, data: least[type] });
});

for (const [field, value, name] of [
  ["mode", "raw", "mode"],
  ["chunk_chars", 1, "chunkChars"],
  ["interval_ms", 10, "intervalMs"],
  ["max_lag_ms", 0, "maxLagMs"],
] as const)
  test(`a request that names ${field} changes nothing else of the pacing`, () => {
    const data = { input_text: "Hi", pacing: { [field]: value } };
    const { request } = readAsk(decode({ type: "openai_chat", data }), defaults);
    assert.deepEqual(request.pacing, { ...ofResponses, [name]: value });
  });

it("a refusal names the client's own field, also if the server's inside has another name for it", () => {
  const fields = {
    conversationId: "data.conversation_id",
    "personaIds.3": "data.persona_ids.3",
    "fallback.0.api": "data.fallback.0.api",
    "members.2.personaId": "data.members.2.persona_id",
    personaId: "data.persona_id",
    previousResponseId: "data.previous_response_id",
    requestId: "data.request_id",
    after: "data.after",
    afterSeq: "data.after_seq",
    retrySeq: "data.retry",
    "options.prompt.variables.retrySeq": "data.options.prompt.variables.retrySeq",
    "tools.0.container": "data.tools.0.container",
    // Paths of the frame itself stay.
    "data.temperature": "data.temperature",
    id: "id",
    type: "type",
  };
  for (const [inside, wire] of Object.entries(fields)) assert.equal(wireField(inside), wire);
});
