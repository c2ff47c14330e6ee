import type { ResponseCreateParamsStreaming } from "openai/resources/responses/responses";
import type { ProviderRequest } from "../../ports/provider.ts";
import { alternateRoles } from "../upstream/alternate-roles.ts";

/** Parameters that only some Responses APIs accept. */
export interface ResponsesDialect {
  /** Default false: a local server may refuse an unknown parameter. */
  readonly takesCacheKey?: boolean;
}

/**
 * The dialect of the API at an address. OpenAI, in each of its regions, and Azure document `prompt_cache_key`; other APIs may refuse it.
 */
export function dialectOf(baseUrl: string): ResponsesDialect {
  return { takesCacheKey: /(^|\.)openai\.(com|azure\.com)$/.test(new URL(baseUrl).hostname) };
}

/** The parameters of a call. The client's options go first, so that the server's own values win. */
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
    // llama.cpp refuses an assistant's item without a type, and other servers refuse content in parts.
    input: plain
      ? only.text
      : alternateRoles(messages, note).map(({ role, text }) => ({ type: "message", role, content: text })),
    stream: true,
    ...(request.mayStore === undefined ? {} : { store: request.mayStore }),
    ...(instructions === undefined || instructions.trim() === "" ? {} : { instructions }),
    ...(takesCacheKey && cacheKey !== undefined ? { prompt_cache_key: cacheKey } : {}),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.maxOutputTokens === undefined ? {} : { max_output_tokens: request.maxOutputTokens }),
    ...(request.previousResponseId === undefined ? {} : { previous_response_id: request.previousResponseId }),
    ...(request.tools === undefined ? {} : { tools: request.tools }),
    ...(request.includeReasoning === true ? reasoningParams(options) : {}),
  };
  // The client's options were checked against a schema that is compared with this type.
  return params as unknown as ResponseCreateParamsStreaming;
}

/** A stored response keeps its reasoning at the vendor. Otherwise the response must carry it, encrypted, to be continued. */
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
