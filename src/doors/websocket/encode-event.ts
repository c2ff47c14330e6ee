import { sumUsage } from "../../chat/usage.ts";
import type { Usage } from "../../ports/provider.ts";
import type { PersonaAnswer, TurnAnswer, TurnEvent } from "../../ports/turn-event.ts";
import type { LoggedEvent } from "../../ports/turn-log.ts";
import type { ErrorCode, TroupeError } from "../../protocol/errors.ts";
import type { ServerMessages } from "../../protocol/server-messages.ts";

type Numbered = ServerMessages[
  | "status"
  | "chunk"
  | "reasoning"
  | "tool"
  | "persona_response"
  | "response"
  | "error"];
/** A message before it is given its place. */
type Unnumbered<M = Numbered> = M extends Numbered ? Omit<M, "request_id" | "seq"> : never;

const statusMessages = {
  starting: "Initializing...",
  processing: "Sending request...",
  streaming: "Streaming the answer...",
  completed: "Completed.",
} as const;

/** One logged event as the frame that every follower is sent. */
export function encodeEvent(requestId: string, { seq, event }: LoggedEvent): string {
  return JSON.stringify({ ...toMessage(event), request_id: requestId, seq });
}

function toMessage(event: TurnEvent): Unnumbered {
  switch (event.type) {
    case "text":
      return { type: "chunk", chunk: event.text, is_final: event.final, ...lane(event) };
    case "status":
      return {
        type: "status",
        status: event.status,
        message: event.retry === undefined ? statusMessages[event.status] : "Trying again...",
        ...lane(event),
        ...(event.retry === undefined
          ? {}
          : {
              detail: {
                retry: event.retry.attempt,
                delay_ms: event.retry.delayMs,
                code: event.retry.code as ErrorCode,
              },
            }),
        ...(event.simulated ? { simulated: true } : {}),
      };
    case "reasoning":
      return { type: "reasoning", text: event.text, ...lane(event) };
    case "tool": {
      const { tool, status, callId, payload } = event;
      const item = payload === undefined ? {} : { payload };
      return { type: "tool", tool, status, call_id: callId, ...item, ...lane(event) };
    }
    case "lane-answer":
      return { type: "persona_response", ...personaAnswer(event.answer) };
    case "answer":
      return {
        type: "response",
        status: event.status,
        message: event.status === "completed" ? "Completed." : "Cancelled.",
        request_type: requestTypes[event.answer.kind],
        finish_reason: event.answer.finishReason,
        data: answerData(event.answer),
      };
    case "failure":
      return { type: "error", status: "error", ...failure(event.error), ...lane(event) };
  }
}

const requestTypes = { responses: "openai_chat", persona: "chat", personas: "multi_chat" } as const;

function lane(event: { readonly lane?: string }): { persona_id?: string } {
  return event.lane === undefined ? {} : { persona_id: event.lane };
}

function answerData(answer: TurnAnswer): ServerMessages["response"]["data"] {
  const end = { finish_reason: answer.finishReason, ...cancelReport(answer) };
  if (answer.kind === "responses") {
    return {
      ...answer.response,
      output_text: answer.text,
      ...end,
      ...(answer.simulated ? { simulated: true } : {}),
    };
  }
  if (answer.kind === "persona") {
    const { index: _, status: __, finish_reason: ___, ...rest } = personaAnswer(answer.answer);
    return { ...rest, conversation_id: answer.conversationId, ...end };
  }
  const { answers, combined, outcome, conversationId } = answer;
  return {
    responses: answers.map(personaAnswer),
    combined,
    outcome,
    conversation_id: conversationId,
    ...end,
    ...usage(sumUsage(answers.map((one) => one.usage))),
    ...(answers.some((one) => one.simulated) ? { simulated: true } : {}),
  };
}

function personaAnswer(answer: PersonaAnswer) {
  return {
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
    ...(answer.simulated ? { simulated: true as const } : {}),
  };
}

function usage(tokens: Usage | undefined) {
  if (tokens === undefined) return {};
  const { inputTokens, outputTokens, totalTokens, estimated } = tokens;
  return {
    usage: { input_tokens: inputTokens, output_tokens: outputTokens, total_tokens: totalTokens, estimated },
  };
}

function cancelReport({ cancel }: { readonly cancel?: TurnAnswer["cancel"] }) {
  if (cancel === undefined) return {};
  return {
    cancel: { upstream_closed: cancel.upstreamClosed, closed_in_ms: Math.round(cancel.closedInMs * 10) / 10 },
  };
}

/** What a client may read of an error. */
export function failure(error: TroupeError) {
  return {
    code: error.code,
    message: error.publicMessage,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: Math.round(error.retryAfterMs) }),
  };
}
