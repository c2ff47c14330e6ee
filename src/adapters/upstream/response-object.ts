import type { JsonObject } from "../../ports/json.ts";
import type { ProviderEvent, ProviderRequest, Usage } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** An answer as far as it has come. */
export interface AnswerSoFar {
  readonly status: "in_progress" | "completed" | "incomplete";
  /** The vendor's id of the answer; `undefined` if it gave none. */
  readonly id: string | undefined;
  /** Seconds since 1970, by the vendor's clock; `undefined` if it told none. */
  readonly createdAt: number | undefined;
  readonly model: string;
  readonly output: readonly JsonObject[];
  /** The reason why it is incomplete. */
  readonly reason?: "max_output_tokens" | "content_filter";
  readonly usage?: Usage | undefined;
}

/** Parameters that the Responses API repeats in its response. The instructions are left out, because they are never shown. */
const repeated = [
  ...["max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls", "reasoning"],
  ...[
    "safety_identifier",
    "service_tier",
    "temperature",
    "text",
    "tool_choice",
    "top_p",
    "truncation",
    "user",
  ],
];

/**
 * The answer in the shape of the Responses API (`POST /v1/responses`; the SDK's type `Response`), so that a client of `openai_chat` finds
 * the same fields on every server. `store` is false, because nothing can be fetched by its id.
 */
export function responseObject(request: ProviderRequest, answer: AnswerSoFar): JsonObject {
  const { options = {}, tools = [], functions = [] } = request;
  const { id, createdAt, status, model, output, reason, usage } = answer;
  const given = repeated.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]]));
  return {
    ...(request.responseId === undefined && id === undefined
      ? {}
      : { id: request.responseId ?? `resp_${id}` }),
    object: "response",
    created_at: createdAt ?? null,
    status,
    background: false,
    error: null,
    incomplete_details: reason === undefined ? null : { reason },
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: null,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [...tools, ...functions.map((tool) => ({ type: "function", ...tool }))],
    top_p: null,
    truncation: "disabled",
    usage: usage === undefined ? null : wireUsage(usage),
    ...Object.fromEntries(given),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.maxOutputTokens === undefined ? {} : { max_output_tokens: request.maxOutputTokens }),
  };
}

function wireUsage(usage: Usage): JsonObject {
  const { inputTokens, cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens, totalTokens } = usage;
  const read = {
    ...(cachedTokens === undefined ? {} : { cached_tokens: cachedTokens }),
    ...(cacheWriteTokens === undefined ? {} : { cache_write_tokens: cacheWriteTokens }),
  };
  return {
    input_tokens: inputTokens,
    ...(Object.keys(read).length === 0 ? {} : { input_tokens_details: read }),
    output_tokens: outputTokens,
    ...(reasoningTokens === undefined
      ? {}
      : { output_tokens_details: { reasoning_tokens: reasoningTokens } }),
    total_tokens: totalTokens,
  };
}

/** The message of an answer, with a refusal as a part of its own. `annotations` are those of the Responses API. */
export function messageItem(
  status: string,
  text: string,
  refusal: string,
  annotations: readonly JsonObject[] = [],
): JsonObject {
  const words = { type: "output_text", text, annotations: [...annotations] };
  const content = [
    ...(text === "" && refusal !== "" ? [] : [words]),
    ...(refusal === "" ? [] : [{ type: "refusal", refusal }]),
  ];
  return { type: "message", role: "assistant", status, content };
}

/** Reasoning as an item of the output. `carried`: its state, if the client keeps the history (`carryReasoning`). */
export function reasoningItem(text: string, carried?: string): JsonObject {
  const summary = text === "" && carried !== undefined ? [] : [{ type: "summary_text", text }];
  return { type: "reasoning", summary, ...(carried === undefined ? {} : { encrypted_content: carried }) };
}

/** One call of a function, as far as it was streamed. */
export interface FunctionCall {
  readonly callId: string;
  readonly name: string;
  /** JSON as the model wrote it; `{}` if it wrote none. */
  readonly arguments: string;
}

/** A call as an item of the Responses API's output, which every client of `tool` messages knows. */
export function callItem({ callId, name, arguments: args }: FunctionCall, status: string): JsonObject {
  return { type: "function_call", id: `fc_${callId}`, call_id: callId, name, arguments: args, status };
}

export function callEvent(call: FunctionCall, status: string): ProviderEvent {
  return { type: "tool", tool: "function", status, callId: call.callId, payload: callItem(call, status) };
}

/** The error of a provider that does not have the response to continue: the caller then sends the whole context. Nothing was asked. */
export function lacksResponse(): TroupeError {
  return new TroupeError("previous_response_not_found", { field: "previousResponseId", isUnread: true });
}
