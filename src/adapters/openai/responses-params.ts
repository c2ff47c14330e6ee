import type { ResponseCreateParamsStreaming } from "openai/resources/responses/responses";
import { type FunctionTool, isText, textOf } from "../../ports/item.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { ignoredParameters } from "../upstream/ignored-parameters.ts";
import { toResponsesInput } from "./responses-items.ts";

/** Parameters that only some Responses APIs accept. */
interface ResponsesDialect {
  /** Default false: a local server may refuse an unknown parameter. */
  readonly takesCacheKey?: boolean;
}

/**
 * The dialect of the API at an address. OpenAI, in each of its regions, and Azure document `prompt_cache_key`; other APIs may refuse it.
 */
export function dialectOf(baseUrl: string): ResponsesDialect {
  return { takesCacheKey: /(^|\.)openai\.(com|azure\.com)$/.test(new URL(baseUrl).hostname) };
}

/**
 * The parameters of a call. The client's options go first, so that the server's own values win. `origin`: the account and model that are
 * asked (`toResponsesInput`).
 */
export function responsesParams(
  request: ProviderRequest,
  { takesCacheKey = false }: ResponsesDialect = {},
  origin?: string,
): ResponseCreateParamsStreaming {
  const { options: asked = {}, instructions, cacheKey } = request;
  // The API has no such parameter: `ignoredByResponses`.
  const { stop: _, ...options } = asked;
  const tools = toolsOf(request);
  const params = {
    ...options,
    model: request.model,
    input: plainInput(request) ?? toResponsesInput(request, origin),
    stream: true,
    ...(request.mayStore === undefined ? {} : { store: request.mayStore }),
    ...(instructions === undefined || instructions.trim() === "" ? {} : { instructions }),
    ...(takesCacheKey && cacheKey !== undefined ? { prompt_cache_key: cacheKey } : {}),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.maxOutputTokens === undefined ? {} : { max_output_tokens: request.maxOutputTokens }),
    ...(request.previousResponseId === undefined ? {} : { previous_response_id: request.previousResponseId }),
    ...(tools === undefined ? {} : { tools }),
    ...(request.includeReasoning === true ? reasoningParams(options) : {}),
  };
  // The client's options were checked against a schema that is compared with this type.
  return params as unknown as ResponseCreateParamsStreaming;
}

/** The parameters of a request that no Responses API has. */
export function ignoredByResponses(request: ProviderRequest): readonly string[] {
  return ignoredParameters(request, {}, { stop: [] });
}

/** The text of a request that has nothing else. */
function plainInput({ input, instructions, note }: ProviderRequest): string | undefined {
  const [only] = input;
  if (input.length !== 1 || only?.type !== "message" || only.role !== "user") return undefined;
  return isText(only.parts) && (instructions ?? note) === undefined ? textOf(only.parts) : undefined;
}

function toolsOf({ tools, functions }: ProviderRequest) {
  if (functions === undefined) return tools;
  return [...(tools ?? []), ...functions.map(toFunction)];
}

function toFunction({ name, description, parameters, strict }: FunctionTool) {
  return { type: "function", name, description, parameters, strict };
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
