import type {
  Response,
  ResponseOutputItem,
  ResponseStreamEvent,
  ResponseUsage,
} from "openai/resources/responses/responses";

/**
 * A response object as the API sends it. The SDK's type differs: it adds `output_text`, allows no null usage (the API
 * sends null until the end), and closes the list of error codes.
 */
export type WireResponse = Omit<Response, "output_text" | "usage" | "error"> & {
  usage: ResponseUsage | null;
  error: { code: string | null; message: string } | null;
};

type Unnumbered<Event> = Event extends { response: Response }
  ? Omit<Event, "sequence_number" | "response"> & { response: WireResponse }
  : Omit<Event, "sequence_number">;

/** One event of the Responses stream before it gets its number, typed by the SDK's own declarations. */
export type WireEvent = Unnumbered<ResponseStreamEvent>;

/** How an answer ends: the terminal event and the status in its response object. */
export type AnswerEnding =
  | { readonly status: "completed" }
  | { readonly status: "failed"; readonly code: string | null; readonly message: string }
  | { readonly status: "incomplete"; readonly reason: "max_output_tokens" | "content_filter" };

export interface ResponseOptions {
  /** Default `gpt-4o-mini`. */
  readonly model?: string;
  /** Default `resp_double`. */
  readonly responseId?: string;
  readonly previousResponseId?: string;
  /** Seconds since 1970. Default 1,760,000,000, so that two runs give the same bytes. */
  readonly createdAtSeconds?: number;
}

/** A response object in progress: no output, no usage. Field names as in the SDK's `Response`. */
export function responseInProgress(options: ResponseOptions = {}): WireResponse {
  return {
    id: options.responseId ?? "resp_double",
    object: "response",
    access_programs: null,
    created_at: options.createdAtSeconds ?? 1_760_000_000,
    status: "in_progress",
    background: false,
    completed_at: null,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    max_tool_calls: null,
    model: options.model ?? "gpt-4o-mini",
    output: [],
    parallel_tool_calls: true,
    previous_response_id: options.previousResponseId ?? null,
    prompt_cache_key: null,
    reasoning: { effort: null, summary: null },
    safety_identifier: null,
    service_tier: "default",
    temperature: 1,
    text: { format: { type: "text" }, verbosity: "medium" },
    tool_choice: "auto",
    tools: [],
    top_logprobs: 0,
    top_p: 1,
    truncation: "disabled",
    usage: null,
    metadata: {},
  };
}

/** The usage object for these numbers of tokens, with nothing cached. */
export function usageOf(inputTokens: number, outputTokens: number, reasoningTokens = 0): ResponseUsage {
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: inputTokens + outputTokens,
  };
}

/** The terminal event of an ending, with its response object. */
export function terminalEvent(
  started: WireResponse,
  ending: AnswerEnding,
  output: ResponseOutputItem[],
  usage: ResponseUsage,
): WireEvent {
  const response: WireResponse = { ...started, status: ending.status, output };
  if (ending.status === "failed") {
    const error = { code: ending.code, message: ending.message };
    return { type: "response.failed", response: { ...response, error } };
  }
  if (ending.status === "incomplete") {
    const incomplete_details = { reason: ending.reason };
    return { type: "response.incomplete", response: { ...response, incomplete_details, usage } };
  }
  return {
    type: "response.completed",
    response: { ...response, completed_at: started.created_at + 1, usage },
  };
}
