import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeEvent } from "../../../src/doors/websocket/encode-event.ts";
import type { Usage } from "../../../src/ports/provider.ts";
import type { PersonaAnswer, TurnEvent } from "../../../src/ports/turn-event.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

const usage: Usage = {
  ...{ inputTokens: 3, cachedTokens: 2, cacheWriteTokens: 1, outputTokens: 4, reasoningTokens: 1 },
  ...{ totalTokens: 7, estimated: false, cost: { usd: 0.1 + 0.2, approximate: true, partial: true } },
};
const wireUsage = {
  ...{ input_tokens: 3, cached_tokens: 2, cache_write_tokens: 1, output_tokens: 4, reasoning_tokens: 1 },
  ...{ total_tokens: 7, estimated: false },
};
const wireCost = { usd: 0.3, approximate: true, partial: true };
const cancel = { upstreamClosed: true, closedInMs: 12.345 };
const wireCancel = { upstream_closed: true, closed_in_ms: 12.3 };
const persona = {
  id: "teacher",
  name: "Teacher",
  title: "Teaches",
  description: "Explains.",
} as PersonaAnswer["persona"];

/** One answer with all optional fields, and one with none. */
const full: PersonaAnswer = {
  ...{ persona, index: 2, status: "cancelled", text: "Half", model: "m", api: "openai" },
  ...{ messageId: "msg", finishReason: "cancelled", usage, cancel, simulated: true },
  error: new TroupeError("rate_limited", { retryAfterMs: 12.6 }),
};
const bare: PersonaAnswer = {
  ...{ persona, index: 0, status: "completed", text: "Whole", model: "m", api: "openai", simulated: false },
};
const wireError = {
  code: "rate_limited",
  message: "The model provider limits the rate; try again later.",
  retryable: true,
  retry_after_ms: 13,
};
const wireFull = {
  ...{ persona_id: "teacher", response: "Half", index: 2, status: "cancelled", persona, model: "m" },
  ...{
    api: "openai",
    finish_reason: "cancelled",
    message_id: "msg",
    usage: wireUsage,
    error: wireError,
    cost: wireCost,
  },
  ...{ cancel: wireCancel, simulated: true },
};
const wireBare = {
  ...{ persona_id: "teacher", response: "Whole", index: 0, status: "completed", persona, model: "m" },
  api: "openai",
};
const { index: _, status: __, ...wireVoice } = wireFull;
const retry = { attempt: 2, delayMs: 500, code: "upstream_error" };
const wireRetry = { retry: 2, delay_ms: 500, code: "upstream_error" };

/** Each event with all fields of its frame except the request and the number. */
const rows: readonly (readonly [string, TurnEvent, object])[] = [
  [
    "text",
    { type: "text", text: 'a "b"\n', final: false },
    { type: "chunk", chunk: 'a "b"\n', is_final: false },
  ],
  [
    "the last text of a lane",
    { type: "text", lane: "t", text: "", final: true },
    { type: "chunk", chunk: "", is_final: true, persona_id: "t" },
  ],
  [
    "a start",
    { type: "status", status: "starting", simulated: false },
    { type: "status", status: "starting", message: "Initializing..." },
  ],
  [
    "a simulated lane's words",
    { type: "status", status: "streaming", lane: "t", simulated: true },
    {
      type: "status",
      status: "streaming",
      message: "Streaming the answer...",
      persona_id: "t",
      simulated: true,
    },
  ],
  [
    "another attempt",
    { type: "status", status: "processing", retry, simulated: false },
    { type: "status", status: "processing", message: "Trying again...", detail: wireRetry },
  ],
  [
    "a thought",
    { type: "reasoning", text: "Hm", lane: "t" },
    { type: "reasoning", text: "Hm", persona_id: "t" },
  ],
  [
    "a tool without a payload",
    { type: "tool", tool: "search", status: "running", callId: "c" },
    { type: "tool", tool: "search", status: "running", call_id: "c" },
  ],
  [
    "a tool's payload",
    { type: "tool", tool: "search", status: "done", callId: "c", payload: { a: 1 }, lane: "t" },
    { type: "tool", tool: "search", status: "done", call_id: "c", payload: { a: 1 }, persona_id: "t" },
  ],
  ["a full lane", { type: "lane-answer", answer: full }, { type: "persona_response", ...wireFull }],
  ["a bare lane", { type: "lane-answer", answer: bare }, { type: "persona_response", ...wireBare }],
  [
    "a reset",
    { type: "reset", lanes: [{}, { lane: "t" }] },
    {
      type: "reset",
      lanes: [{ text: "" }, { persona_id: "t", text: "" }],
    },
  ],
  [
    "an answer of a model",
    {
      ...{ type: "answer", status: "completed" },
      answer: {
        kind: "responses",
        text: "Whole",
        response: { id: "resp" },
        finishReason: "stop",
        simulated: true,
      },
    },
    {
      ...{ type: "response", status: "completed", message: "Completed.", finish_reason: "stop" },
      request_type: "openai_chat",
      data: { id: "resp", output_text: "Whole", finish_reason: "stop", simulated: true },
    },
  ],
  [
    "a cancelled answer of a model",
    {
      ...{ type: "answer", status: "cancelled" },
      answer: {
        ...{ kind: "responses", text: "", response: {}, finishReason: "cancelled", simulated: false },
        cancel: { upstreamClosed: false, closedInMs: 4 },
      },
    },
    {
      ...{ type: "response", status: "cancelled", message: "Cancelled.", finish_reason: "cancelled" },
      request_type: "openai_chat",
      data: {
        output_text: "",
        finish_reason: "cancelled",
        cancel: { upstream_closed: false, closed_in_ms: 4 },
      },
    },
  ],
  [
    "a model's answer that was stopped after its first snapshot",
    {
      ...{ type: "answer", status: "cancelled" },
      answer: {
        ...{ kind: "responses", text: "Half", finishReason: "cancelled", simulated: false },
        response: { id: "resp", model: "dated", status: "in_progress", output: [], usage: null },
        partial: "cancelled" as const,
        model: "asked",
        usage: {
          ...{ inputTokens: 2, cachedTokens: 1, outputTokens: 3, reasoningTokens: 2, totalTokens: 5 },
          ...{ estimated: true, cost: { usd: 0.25, approximate: false } },
        },
      },
    },
    {
      ...{ type: "response", status: "cancelled", message: "Cancelled.", finish_reason: "cancelled" },
      request_type: "openai_chat",
      data: {
        ...{ object: "response", model: "dated", id: "resp", status: "cancelled" },
        output: [
          {
            ...{ type: "message", role: "assistant", status: "incomplete" },
            content: [{ type: "output_text", text: "Half", annotations: [] }],
          },
        ],
        usage: { input_tokens: 2, output_tokens: 3, total_tokens: 5, estimated: true },
        cost: { usd: 0.25, approximate: false },
        ...{ output_text: "Half", finish_reason: "cancelled" },
      },
    },
  ],
  [
    "a model's answer that a budget cut before any snapshot",
    {
      ...{ type: "answer", status: "completed" },
      answer: {
        ...{ kind: "responses", text: "Half", response: {}, finishReason: "budget", simulated: false },
        partial: "incomplete" as const,
        model: "asked",
      },
    },
    {
      ...{ type: "response", status: "completed", message: "Completed.", finish_reason: "budget" },
      request_type: "openai_chat",
      data: {
        ...{ object: "response", model: "asked", status: "incomplete" },
        output: [
          {
            ...{ type: "message", role: "assistant", status: "incomplete" },
            content: [{ type: "output_text", text: "Half", annotations: [] }],
          },
        ],
        ...{ output_text: "Half", finish_reason: "budget" },
      },
    },
  ],
  [
    "an answer of a persona",
    {
      ...{ type: "answer", status: "cancelled" },
      answer: { kind: "persona", answer: full, conversationId: "conv", finishReason: "cancelled" },
    },
    {
      ...{ type: "response", status: "cancelled", message: "Cancelled.", finish_reason: "cancelled" },
      request_type: "chat",
      data: { ...wireVoice, conversation_id: "conv" },
    },
  ],
  [
    "an answer of several personas, one of them simulated",
    {
      ...{ type: "answer", status: "completed" },
      answer: {
        kind: "personas",
        ...{ answers: [bare, full], combined: "Both", usage },
        ...{ conversationId: "conv", cancel },
        outcome: "degraded",
        finishReason: "stop",
      },
    },
    {
      ...{ type: "response", status: "completed", message: "Completed.", finish_reason: "stop" },
      request_type: "multi_chat",
      data: {
        ...{ responses: [wireBare, wireFull], combined: "Both", outcome: "degraded" },
        ...{
          conversation_id: "conv",
          finish_reason: "stop",
          cancel: wireCancel,
          usage: wireUsage,
          cost: wireCost,
        },
        simulated: true,
      },
    },
  ],
  [
    "an answer of several personas without usage",
    {
      ...{ type: "answer", status: "completed" },
      answer: {
        kind: "personas",
        ...{ answers: [bare], combined: "One", conversationId: "conv" },
        outcome: "complete",
        finishReason: "stop",
      },
    },
    {
      ...{ type: "response", status: "completed", message: "Completed.", finish_reason: "stop" },
      request_type: "multi_chat",
      data: {
        ...{ responses: [wireBare], combined: "One", outcome: "complete" },
        ...{ conversation_id: "conv", finish_reason: "stop" },
      },
    },
  ],
  [
    "a failure of a lane",
    { type: "failure", error: new TroupeError("rate_limited", { retryAfterMs: 12.6 }), lane: "t" },
    { type: "error", status: "error", ...wireError, persona_id: "t" },
  ],
  [
    "a failure of all",
    { type: "failure", error: new TroupeError("internal_error", { cause: new Error("secret") }) },
    {
      ...{ type: "error", status: "error", code: "internal_error", retryable: true },
      message: "Something went wrong inside the server.",
    },
  ],
];

for (const [name, event, expected] of rows)
  test(`an event becomes exactly its frame: ${name}`, () => {
    const frame = JSON.parse(encodeEvent('r"1', { seq: 7, event }));
    assert.deepEqual(frame, { ...expected, request_id: 'r"1', seq: 7 });
  });
