import { z } from "zod";
import { storedFunctions, storedItems } from "./item.ts";
import { isObject, type JsonObject } from "./json.ts";

/*
 * The schemas of everything that is stored of a turn or sent between processes. They describe JSON, so an error is data (`storedError`).
 * Objects may have more keys than these: a later version may write them, and they are kept.
 */

const text = z.string();
const number = z.number();
const flag = z.boolean();
/** Foreign JSON, neither copied nor checked. */
const json = z.custom<JsonObject>(isObject, "expected an object");
const ofLane = { lane: text.exactOptional() };

/** An error as `TroupeError.toJSON` writes it. Its code may be of a later version. */
export const storedError = z.looseObject({
  troupe_error: text,
  field: text.exactOptional(),
  detail: text.exactOptional(),
  // JSON has `null` for a wait without an end.
  retryAfterMs: number.nullable().exactOptional(),
  retryable: flag.exactOptional(),
});

const cancel = { cancel: z.looseObject({ upstreamClosed: flag, closedInMs: number }).exactOptional() };
const usage = z.looseObject({
  inputTokens: number,
  cachedTokens: number.exactOptional(),
  cacheWriteTokens: number.exactOptional(),
  outputTokens: number,
  reasoningTokens: number.exactOptional(),
  totalTokens: number,
  estimated: flag,
  cost: z
    .looseObject({ usd: number, approximate: flag, partial: z.literal(true).exactOptional() })
    .nullable()
    .exactOptional(),
});
const finishReason = z.enum(["stop", "length", "content_filter", "tool_calls", "budget", "cancelled"]);

const personaAnswer = z.looseObject({
  persona: z.looseObject({ id: text, name: text, description: text }),
  ...ofLane,
  index: number,
  status: z.enum(["completed", "failed", "cancelled"]),
  text,
  messageId: text.exactOptional(),
  model: text,
  api: text,
  finishReason: finishReason.exactOptional(),
  usage: usage.exactOptional(),
  error: storedError.exactOptional(),
  ...cancel,
  simulated: flag,
});

const ofAnswer = { finishReason, ...cancel };
const turnAnswer = z.discriminatedUnion("kind", [
  z.looseObject({
    kind: z.literal("responses"),
    ...ofAnswer,
    text,
    response: json,
    partial: z.enum(["cancelled", "incomplete"]).exactOptional(),
    model: text.exactOptional(),
    usage: usage.exactOptional(),
    api: text.exactOptional(),
    simulated: flag,
    error: storedError.exactOptional(),
  }),
  z.looseObject({
    kind: z.literal("persona"),
    ...ofAnswer,
    answer: personaAnswer,
    conversationId: text.exactOptional(),
  }),
  z.looseObject({
    kind: z.literal("personas"),
    ...ofAnswer,
    answers: z.array(personaAnswer),
    combined: text,
    outcome: z.enum(["complete", "degraded"]),
    conversationId: text.exactOptional(),
    usage: usage.exactOptional(),
  }),
]);

export const storedEvent = z.discriminatedUnion("type", [
  z.looseObject({
    type: z.literal("status"),
    ...ofLane,
    status: z.enum(["starting", "processing", "streaming", "completed"]),
    conversationId: text.exactOptional(),
    retry: z
      .looseObject({
        ...{ attempt: number, delayMs: number, code: text },
        api: text.exactOptional(),
        model: text.exactOptional(),
      })
      .exactOptional(),
    simulated: flag,
    ignored: z.array(text).exactOptional(),
    usage: usage.exactOptional(),
    showsText: flag.exactOptional(),
  }),
  z.looseObject({ type: z.literal("text"), ...ofLane, text, final: flag }),
  z.looseObject({ type: z.literal("reasoning"), ...ofLane, text }),
  z.looseObject({
    type: z.literal("tool"),
    ...ofLane,
    tool: text,
    status: text,
    callId: text,
    payload: json.exactOptional(),
  }),
  z.looseObject({
    type: z.literal("source"),
    ...ofLane,
    index: number,
    url: text,
    title: text.exactOptional(),
    places: z.array(z.looseObject({ start: number, end: number })).exactOptional(),
  }),
  z.looseObject({ type: z.literal("lane-answer"), answer: personaAnswer }),
  z.looseObject({ type: z.literal("reset"), lanes: z.array(z.looseObject(ofLane)) }),
  z.looseObject({
    type: z.literal("answer"),
    status: z.enum(["completed", "cancelled"]),
    answer: turnAnswer,
  }),
  z.looseObject({ type: z.literal("failure"), error: storedError, ...ofLane }),
]);

const ofCheckpoint = { type: z.literal("checkpoint"), ...ofLane, textUnits: number, place: json };
export const storedCheckpoint = z.looseObject({
  ...ofCheckpoint,
  reasoningUnits: number,
  toolEvents: number,
  call: number.exactOptional(),
  earlierUsage: usage.exactOptional(),
});
/** A checkpoint of version 1: `sideEvents` counts the lane's reasoning and tool events before it. */
export const earlierCheckpoint = z.looseObject({ ...ofCheckpoint, sideEvents: number });

/** Texts in place of the events up to a number; see `LogBatch`. */
const trimmed = {
  throughSeq: number.int().min(0),
  lanes: z.array(z.looseObject({ ...ofLane, text })),
};
/** A batch of a log without events. */
export const eventlessBatch = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("trimmed"), ...trimmed }),
  z.looseObject({ type: z.literal("unkept"), error: storedError }),
]);
export const storedCompactedLog = z.looseObject({ ...trimmed, terminal: z.unknown() });

const pacing = z.looseObject({
  mode: z.enum(["natural", "fixed", "raw"]),
  chunkChars: number,
  intervalMs: number,
  maxLagMs: number,
});
const namedChoice = { api: text.exactOptional(), model: text.exactOptional() };
const ofRequest = {
  ...namedChoice,
  fallback: z.array(z.looseObject(namedChoice)).exactOptional(),
  input: storedItems,
  functions: storedFunctions.exactOptional(),
  includeSources: z.literal(true).exactOptional(),
  includeUsage: z.literal(true).exactOptional(),
  budgetTokens: number.exactOptional(),
  maxTokens: number.exactOptional(),
  pacing,
};
const ofPersonas = {
  ...ofRequest,
  bringsHistory: z.literal(true).exactOptional(),
  personaIds: z.array(text),
  temperature: number.exactOptional(),
};
export const storedTurnRequest = z.discriminatedUnion("kind", [
  z.looseObject({
    kind: z.literal("responses"),
    ...ofRequest,
    previousResponseId: text.exactOptional(),
    tools: z.array(json).exactOptional(),
    includeReasoning: flag,
    inBackground: z.literal(true).exactOptional(),
    isTransient: z.literal(true).exactOptional(),
    options: json,
  }),
  z.looseObject({ kind: z.literal("persona"), ...ofPersonas }),
  z.looseObject({
    kind: z.literal("personas"),
    ...ofPersonas,
    showText: flag,
    members: z.array(z.looseObject({ personaId: text, ...namedChoice })).exactOptional(),
  }),
]);

const limits = z.looseObject({
  connections: number.exactOptional(),
  requestsPerMinute: number.exactOptional(),
  requestsInFlight: number.exactOptional(),
  tokensPerDay: number.exactOptional(),
});
export const storedCaller = z.looseObject({
  owner: text,
  keyId: text,
  limits,
  groups: z.array(z.looseObject({ id: text, name: text, limits })).exactOptional(),
});
export const storedResumableRequest = z.looseObject({
  caller: storedCaller,
  request: storedTurnRequest,
  whenUnwatched: z.union([z.literal("finish"), number]),
  whenInterrupted: z.enum(["error", "restart"]),
});
