import type { Response, ResponseOutputItem } from "openai/resources/responses/responses";
import type { JsonObject } from "../../ports/json.ts";
import type { ProviderRequest, Usage } from "../../ports/provider.ts";

/** The progress of an answer; `incomplete` means that it was cut at the token limit. */
export interface DemoProgress {
  readonly status: "in_progress" | "completed" | "incomplete";
  readonly text: string;
  readonly reasoning?: string;
  readonly usage?: Usage;
}

/** The response object as the API sends it: `output_text` is the SDK's addition, and `usage` is null until the end. */
type WireResponse = Omit<Response, "output_text" | "usage"> & { usage: Response["usage"] | null };

/** Parameters that the API repeats in its response. The instructions are left out, because they are never shown. */
const repeatedParameters = [
  "max_output_tokens",
  "max_tool_calls",
  "metadata",
  "parallel_tool_calls",
  "safety_identifier",
  "service_tier",
  "temperature",
  "text",
  "tool_choice",
  "top_p",
  "truncation",
  "user",
];

/**
 * Makes a response object in the shape of OpenAI's Responses API (`POST /v1/responses`; the SDK's type `Response`), so
 * that a client finds every field that it would find there. `store` is false, because nothing can be fetched by this id
 * later.
 *
 * @param hash distinguishes this answer from others; the ids are made from it.
 * @param createdAtSeconds wall time in whole seconds since 1970.
 */
export function demoResponse(
  request: ProviderRequest,
  hash: string,
  createdAtSeconds: number,
  progress: DemoProgress,
): JsonObject {
  const { status, usage } = progress;
  const response = {
    id: `resp_demo_${hash}`,
    object: "response",
    access_programs: null,
    created_at: createdAtSeconds,
    status,
    background: false,
    error: null,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    instructions: null,
    max_output_tokens: request.maxOutputTokens ?? null,
    model: "demo",
    output: outputOf(hash, progress),
    parallel_tool_calls: true,
    previous_response_id: request.previousResponseId ?? null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: request.temperature ?? 1,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    truncation: "disabled",
    usage: usage ? wireUsage(usage) : null,
    metadata: {},
  } satisfies WireResponse & { store: boolean };
  const repeated = repeatedParameters.flatMap((name) => {
    const value = request.options?.[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const functions = (request.functions ?? []).map((tool) => ({ type: "function", ...tool }));
  return { ...response, tools: [...(request.tools ?? []), ...functions], ...Object.fromEntries(repeated) };
}

function outputOf(hash: string, { status, text, reasoning }: DemoProgress) {
  if (status === "in_progress") return [];
  const message = {
    id: `msg_demo_${hash}`,
    type: "message",
    status,
    role: "assistant",
    content: [{ type: "output_text", text, annotations: [], logprobs: [] }],
  } satisfies ResponseOutputItem;
  if (reasoning === undefined) return [message];
  const summary = {
    id: `rs_demo_${hash}`,
    type: "reasoning",
    summary: [{ type: "summary_text", text: reasoning }],
  } satisfies ResponseOutputItem;
  return [summary, message];
}

/** The scripted reasoning summary is not counted, and takes nothing from the token limit. */
function wireUsage(usage: Usage) {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: usage.totalTokens,
  };
}
