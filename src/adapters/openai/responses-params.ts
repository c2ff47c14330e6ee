import type { ResponseCreateParamsStreaming } from "openai/resources/responses/responses";
import type { ProviderRequest } from "../../ports/provider.ts";
import { alternateRoles } from "../upstream/alternate-roles.ts";

/** What an API takes beside what every Responses API takes. */
export interface ResponsesDialect {
  /** Default false: a local server may refuse a parameter that it does not know. */
  readonly takesCacheKey?: boolean;
}

/** OpenAI itself, in any of its regions, and Azure have `prompt_cache_key` in their references; of others nobody knows. */
export function dialectOf(baseUrl: string): ResponsesDialect {
  return { takesCacheKey: /(^|\.)openai\.(com|azure\.com)$/.test(new URL(baseUrl).hostname) };
}

/** What the Responses API is sent. Options go first, so that none can undo what the server decides. */
export function responsesParams(
  request: ProviderRequest,
  { takesCacheKey = false }: ResponsesDialect = {},
): ResponseCreateParamsStreaming {
  const { options = {}, messages, note, instructions, cacheKey } = request;
  const [only] = messages;
  const plain = messages.length === 1 && only !== undefined && (instructions ?? note) === undefined;
  const params = {
    ...options,
    model: request.model,
    // An assistant's item without a type is refused by llama.cpp, and content in parts by others.
    input: plain
      ? only.text
      : alternateRoles(messages, note).map(({ role, text }) => ({ type: "message", role, content: text })),
    stream: true,
    ...(instructions === undefined ? {} : { store: false }),
    ...(instructions === undefined || instructions.trim() === "" ? {} : { instructions }),
    ...(takesCacheKey && cacheKey !== undefined ? { prompt_cache_key: cacheKey } : {}),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.maxOutputTokens === undefined ? {} : { max_output_tokens: request.maxOutputTokens }),
    ...(request.previousResponseId === undefined ? {} : { previous_response_id: request.previousResponseId }),
    ...(request.tools === undefined ? {} : { tools: request.tools }),
    ...(request.includeReasoning === true ? reasoningParams(options) : {}),
  };
  // The client's part was checked against the schema that is held against this type.
  return params as unknown as ResponseCreateParamsStreaming;
}

/** A stored response keeps its reasoning at the vendor; one that is not stored must carry it, encrypted, to be continued. */
function reasoningParams(options: NonNullable<ProviderRequest["options"]>) {
  const asked = typeof options.reasoning === "object" ? options.reasoning : {};
  const include = Array.isArray(options.include) ? options.include : [];
  return {
    reasoning: { summary: "auto", ...asked },
    ...(options.store === false
      ? { include: [...new Set([...include, "reasoning.encrypted_content"])] }
      : {}),
  };
}
