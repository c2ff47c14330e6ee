import type { FunctionTool, Item } from "../../src/ports/item.ts";
import type { LaneCheckpoint, PersonaAnswer, TurnEvent, TurnStep } from "../../src/ports/turn-event.ts";
import type { ResumableRequest, TurnRequest } from "../../src/ports/turn-request.ts";
import { TroupeError } from "../../src/protocol/errors.ts";

const usage = { inputTokens: 5, cachedTokens: 2, outputTokens: 3, totalTokens: 8, estimated: false };
const cancel = { upstreamClosed: true, closedInMs: 1.5 };
const error = new TroupeError("rate_limited", { field: "data.model", detail: "Wait.", retryAfterMs: 20 });

const fullAnswer: PersonaAnswer = {
  persona: { id: "teacher", name: "Teacher", description: "Teaches." },
  lane: "teacher",
  index: 0,
  status: "cancelled",
  text: "Half",
  messageId: "m-1",
  model: "gpt",
  api: "openai",
  finishReason: "cancelled",
  usage,
  error,
  cancel,
  simulated: false,
};

/** Every kind of event, each with all of its optional fields. */
export const fullEvents: readonly TurnEvent[] = [
  {
    type: "status",
    lane: "teacher",
    status: "processing",
    conversationId: "c-1",
    retry: { attempt: 1, delayMs: 10, code: "rate_limited" },
    simulated: false,
    ignored: ["temperature"],
    showsText: false,
  },
  { type: "text", lane: "teacher", text: "Rain \ud83c\udf27", final: true },
  { type: "reasoning", lane: "teacher", text: "So" },
  {
    type: "tool",
    lane: "teacher",
    tool: "web_search",
    status: "done",
    callId: "c",
    payload: { q: [1, null] },
  },
  {
    ...{ type: "source", lane: "teacher", index: 0, url: "https://a.example/", title: "A" },
    places: [{ start: 0, end: 4 }],
  },
  { type: "lane-answer", answer: fullAnswer },
  { type: "reset", lanes: [{ lane: "teacher" }, {}] },
  {
    type: "answer",
    status: "completed",
    answer: {
      kind: "responses",
      finishReason: "stop",
      cancel,
      text: "Rain",
      // A model's own words, which only look like an error of the server.
      response: { output: [{ troupe_error: "overloaded" }] },
      ...{ partial: "incomplete", model: "gpt", usage },
      simulated: false,
      error: new TroupeError("invalid_output", { detail: "It is not JSON.", retryable: false }),
    },
  },
  {
    type: "answer",
    status: "cancelled",
    answer: { kind: "persona", finishReason: "cancelled", cancel, answer: fullAnswer, conversationId: "c-1" },
  },
  {
    type: "answer",
    status: "completed",
    answer: {
      kind: "personas",
      finishReason: "stop",
      cancel,
      answers: [fullAnswer],
      combined: "Half",
      outcome: "degraded",
      conversationId: "c-1",
      usage,
    },
  },
  { type: "failure", lane: "teacher", error },
];

export const fullCheckpoint: LaneCheckpoint = {
  type: "checkpoint",
  lane: "teacher",
  textUnits: 4,
  reasoningUnits: 3,
  toolEvents: 1,
  place: { responseId: "resp_1" },
};

export const fullSteps: readonly TurnStep[] = [...fullEvents, fullCheckpoint];

const providerState = { provider: "openai", state: { encrypted_content: "e", deep: [{ n: null }] } };

/** Every kind of item and part, each with all of its optional fields. */
export const fullItems: readonly Item[] = [
  { type: "message", role: "system", parts: [{ type: "text", text: "Be Rain." }], providerState },
  {
    type: "message",
    role: "user",
    parts: [
      { type: "text", text: "Hi" },
      { type: "image", url: "https://pictures.example/rain.png", mediaType: "image/png" },
      { type: "image", data: "UmFpbg==", mediaType: "image/png" },
      { type: "file", filename: "rain.pdf", url: "https://files.example/rain.pdf", mediaType: "text/pdf" },
      { type: "file", filename: "rain.txt", data: "UmFpbg==", mediaType: "text/plain" },
    ],
  },
  { type: "reasoning", text: "Rain?", providerState },
  { type: "tool-call", callId: "call-1", name: "look_up", arguments: '{"q":"Rain"}', providerState },
  { type: "tool-result", callId: "call-1", output: [{ type: "text", text: "Rain" }], providerState },
  { type: "source", url: "https://weather.example", title: "Rain", providerState },
];

const functions: readonly FunctionTool[] = [
  { name: "look_up", description: "Looks up Rain.", parameters: { type: "object" }, strict: true },
];

const pacing = { mode: "natural", chunkChars: 50, intervalMs: 100, maxLagMs: 400 } as const;
const ofPersonas = {
  ...{ pacing, budgetTokens: 9, input: fullItems, functions, personaIds: ["teacher"], api: "openai" },
  ...{ model: "gpt", temperature: 0.5, maxTokens: 7 },
  fallback: [{ api: "house", model: "m" }, {}],
  bringsHistory: true,
} as const;

export const fullRequests: readonly TurnRequest[] = [
  {
    ...{ kind: "responses", pacing, budgetTokens: 9, input: fullItems, functions, model: "gpt" },
    ...{ previousResponseId: "resp_0", tools: [{ type: "web_search" }], includeReasoning: true },
    ...{ maxTokens: 7, inBackground: true, isTransient: true },
    options: { background: true },
  },
  { kind: "persona", ...ofPersonas },
  {
    ...{ kind: "personas", ...ofPersonas, showText: false },
    members: [{ personaId: "teacher", api: "house", model: "m" }],
  },
];

const limits = { connections: 1, requestsPerMinute: 2, requestsInFlight: 3, tokensPerDay: 4 };

export const fullResumables: readonly ResumableRequest[] = fullRequests.map((request) => ({
  caller: { owner: "o", keyId: "k", limits, groups: [{ id: "g", name: "This address", limits }] },
  request,
  whenUnwatched: 1_000,
  whenInterrupted: "restart",
}));
