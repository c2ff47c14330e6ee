import { roundedUsd } from "../../ports/prices.ts";
import type { Cost, Usage } from "../../ports/provider.ts";
import {
  laneOf,
  type PersonaAnswer,
  type TurnAnswer,
  type TurnEvent,
  voiceOf,
} from "../../ports/turn-event.ts";
import type { LoggedEvent } from "../../ports/turn-log.ts";
import type { ErrorCode, TroupeError } from "../../protocol/errors.ts";
import type { LaneRole } from "../../protocol/fields.ts";
import type { ServerMessages } from "../../protocol/server-messages.ts";
import { wireField } from "./read-ask.ts";

type TextEvent = Extract<TurnEvent, { type: "text" }>;
type ResponsesAnswer = Extract<TurnAnswer, { kind: "responses" }>;
type Numbered = ServerMessages[
  | "status"
  | "chunk"
  | "reasoning"
  | "tool"
  | "source"
  | "persona_response"
  | "reset"
  | "response"
  | "error"];
/** A message without its request id and number. */
type Unnumbered<M = Numbered> = M extends Numbered ? Omit<M, "request_id" | "seq"> : never;

const statusMessages = {
  starting: "Initializing...",
  processing: "Sending request...",
  streaming: "Streaming the answer...",
  completed: "Completed.",
} as const;

/** Encodes one logged event as the frame that every follower is sent. */
export function encodeEvent(requestId: string, { seq, event }: LoggedEvent): string {
  if (event.type === "text") return encodeText(requestId, seq, event);
  return JSON.stringify(messageOf(requestId, seq, event));
}

/** The message in the frame of one logged event. */
export function messageOf(requestId: string, seq: number, event: Exclude<TurnEvent, TextEvent>): object {
  return { ...toMessage(event), request_id: requestId, seq };
}

/** Tells a follower that the end of its turn could not be stored. The message has no number for that reason. */
export function encodeUnkept(requestId: string, error: TroupeError): string {
  return JSON.stringify({ type: "error", status: "error", ...failure(error), request_id: requestId });
}

/** Encodes a chunk like `toMessage`, but without an object in between, because nearly every message is a chunk. */
function encodeText(requestId: string, seq: number, { text, final, lane }: TextEvent): string {
  const voice = lane === undefined ? "" : voiceText(lane);
  const id = `"request_id":${JSON.stringify(requestId)}`;
  return `{"type":"chunk","chunk":${JSON.stringify(text)},"is_final":${final},${voice}${id},"seq":${seq}}`;
}

function toMessage(event: Exclude<TurnEvent, TextEvent>): Unnumbered {
  switch (event.type) {
    case "status":
      return {
        type: "status",
        status: event.status,
        message: statusMessages[event.status],
        ...lane(event),
        ...(event.conversationId === undefined ? {} : { conversation_id: event.conversationId }),
        ...repeated(event),
        ...(event.ignored === undefined ? {} : { ignored: [...event.ignored] }),
        ...(event.usage === undefined ? {} : { usage: tokens(event.usage) }),
        ...simulated(event),
      };
    case "reasoning":
      return { type: "reasoning", text: event.text, ...lane(event) };
    case "tool": {
      const { tool, status, callId, payload } = event;
      const item = payload === undefined ? {} : { payload };
      return { type: "tool", tool, status, call_id: callId, ...item, ...lane(event) };
    }
    case "source": {
      const { index, url, title, places } = event;
      return {
        ...{ type: "source", index, url },
        ...(title === undefined ? {} : { title }),
        ...(places === undefined ? {} : { places: [...places] }),
        ...lane(event),
      };
    }
    case "lane-answer":
      return { type: "persona_response", ...personaAnswer(event.answer) };
    case "reset":
      return { type: "reset", lanes: event.lanes.map((one) => ({ ...lane(one), text: "" })) };
    case "answer":
      return {
        type: "response",
        status: event.status,
        message: event.status === "completed" ? "Completed." : "Cancelled.",
        finish_reason: event.answer.finishReason,
        ...outputFault(event.answer),
        ...answerData(event.answer),
      };
    case "failure":
      return {
        type: "error",
        status: "error",
        ...failure(event.error),
        ...field(event.error),
        ...lane(event),
      };
  }
}

function repeated({ retry }: Extract<TurnEvent, { type: "status" }>) {
  if (retry === undefined) return {};
  const { attempt, delayMs, code, api, model } = retry;
  const detail = { retry: attempt, delay_ms: delayMs, code: code as ErrorCode };
  if (api === undefined || model === undefined) return { message: "Trying again...", detail };
  return { message: "Trying another model...", detail: { ...detail, api, model } };
}

function lane(event: { readonly lane?: string }) {
  return told(event.lane);
}

/** The fields that tell a lane from the others of its request. */
export function told(key: string | undefined): { persona_id?: string; round?: number; role?: LaneRole } {
  const { personaId, round, role } = voiceOf(key);
  return {
    ...(personaId === undefined ? {} : { persona_id: personaId }),
    ...(round === undefined ? {} : { round }),
    ...(role === undefined ? {} : { role }),
  };
}

/** The same fields as the start of an object's JSON text. */
function voiceText(key: string): string {
  const { personaId, round, role } = voiceOf(key);
  // Nearly every lane, and an object in between would cost as much as the rest of a short chunk.
  if (round === undefined && role === undefined) return `"persona_id":${JSON.stringify(personaId)},`;
  return `${JSON.stringify(told(key)).slice(1, -1)},`;
}

function outputFault(answer: TurnAnswer) {
  return answer.kind === "responses" && answer.error !== undefined ? { error: failure(answer.error) } : {};
}

/** The answer in its request's own shape. */
function answerData(answer: TurnAnswer) {
  const end = { finish_reason: answer.finishReason, ...cancelReport(answer) };
  if (answer.kind === "responses") {
    const fallback = answer.api === undefined ? {} : { api: answer.api };
    const told = { ...cost(answer.usage?.cost), output_text: answer.text };
    const shown = { ...told, ...fallback, ...end, ...simulated(answer) };
    return { request_type: "openai_chat" as const, data: { ...responseObject(answer), ...shown } };
  }
  // A request that brought its history is in none, and every client reads a text here.
  const conversation_id = answer.conversationId ?? "";
  if (answer.kind === "persona") {
    const { index: _, status: __, finish_reason: ___, ...rest } = personaAnswer(answer.answer);
    return { request_type: "chat" as const, data: { ...rest, conversation_id, ...end } };
  }
  const { answers, combined, outcome } = answer;
  const data = {
    responses: answers.map(personaAnswer),
    combined,
    outcome,
    conversation_id,
    ...end,
    ...usage(answer.usage),
    ...simulated({ simulated: answers.some((one) => one.simulated) }),
  };
  return { request_type: "multi_chat" as const, data };
}

/** The vendor's object. For a partial answer it is the last snapshot, with the text shown so far in place of its output. */
function responseObject({ response, partial, text, model, usage: tokens }: ResponsesAnswer): object {
  if (partial === undefined) return response;
  const content = { type: "output_text", text, annotations: [] };
  return {
    object: "response",
    model,
    ...response,
    status: partial,
    output: [{ type: "message", role: "assistant", status: "incomplete", content: [content] }],
    ...usage(tokens && withoutDetails(tokens)),
  };
}

/** The details of a partial answer's usage are not told: its object has the form of the vendor, which has no place for ours. */
function withoutDetails({ inputTokens, outputTokens, totalTokens, estimated, cost: of }: Usage): Usage {
  return { inputTokens, outputTokens, totalTokens, estimated, ...(of === undefined ? {} : { cost: of }) };
}

/** The mark of a demonstration, if it is one. */
function simulated(event: { readonly simulated: boolean }): { simulated?: true } {
  return event.simulated ? { simulated: true } : {};
}

function personaAnswer(answer: PersonaAnswer) {
  return {
    ...told(laneOf(answer)),
    persona_id: answer.persona.id,
    response: answer.text,
    index: answer.index,
    status: answer.status,
    persona: answer.persona,
    model: answer.model,
    api: answer.api,
    ...(answer.finishReason === undefined ? {} : { finish_reason: answer.finishReason }),
    ...(answer.messageId === undefined ? {} : { message_id: answer.messageId }),
    ...usage(answer.usage),
    ...(answer.error === undefined ? {} : { error: failure(answer.error) }),
    ...cancelReport(answer),
    ...simulated(answer),
  };
}

function cancelReport({ cancel }: { readonly cancel?: TurnAnswer["cancel"] }) {
  if (cancel === undefined) return {};
  return {
    cancel: { upstream_closed: cancel.upstreamClosed, closed_in_ms: Math.round(cancel.closedInMs * 10) / 10 },
  };
}

/** The field of the request that a provider refuses. */
function field({ field: path }: TroupeError) {
  return path === undefined ? {} : { field: wireField(path) };
}

/** The fields of an error that a client may read. */
export function failure(error: TroupeError) {
  // A wait without an end is none that a client could wait for.
  const { retryAfterMs: wait = Infinity } = error;
  return {
    code: error.code,
    message: error.publicMessage,
    retryable: error.retryable,
    ...(Number.isFinite(wait) ? { retry_after_ms: Math.round(wait) } : {}),
  };
}

/** The fields `usage` and `cost` of an answer; none if nothing is known of its tokens. */
function usage(used: Usage | undefined) {
  return used === undefined ? {} : { usage: tokens(used), ...cost(used.cost) };
}

/** The tokens of an answer, without their cost. */
function tokens(used: Usage) {
  const { inputTokens, cachedTokens, cacheWriteTokens } = used;
  const { outputTokens, reasoningTokens, totalTokens, estimated } = used;
  return {
    input_tokens: inputTokens,
    ...(cachedTokens === undefined ? {} : { cached_tokens: cachedTokens }),
    ...(cacheWriteTokens === undefined ? {} : { cache_write_tokens: cacheWriteTokens }),
    output_tokens: outputTokens,
    ...(reasoningTokens === undefined ? {} : { reasoning_tokens: reasoningTokens }),
    total_tokens: totalTokens,
    estimated,
  };
}

/**
 * The field `cost`: `null` if no price is known, because a client must not take that for 0. An answer of an earlier version has none, so
 * that its replay stays as it was.
 */
function cost(known: Cost | null | undefined) {
  if (known === undefined) return {};
  if (known === null) return { cost: null };
  const { usd, approximate, partial } = known;
  return { cost: { usd: roundedUsd(usd), approximate, ...(partial === undefined ? {} : { partial }) } };
}
