import type {
  ResponseCreateParamsStreaming,
  ResponseInputContent,
  ResponseInputItem,
  ResponseReasoningItem,
} from "openai/resources/responses/responses";
import {
  type FunctionTool,
  type Item,
  type ItemPart,
  isText,
  type MessageItem,
  type ReasoningItem,
  type ToolResultItem,
  textOf,
} from "../../ports/item.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { ignoredParameters } from "../upstream/ignored-parameters.ts";
import { alternateRoles, ownState, sentItems } from "../upstream/sent-items.ts";
import { openaiName } from "./merged-output.ts";

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

/**
 * An item of the `input`. Reasoning has no id: where nothing is stored, the API refuses ids (vercel/ai#12689), and an id could name
 * another caller's reasoning.
 */
type InputItem = ResponseInputItem | Omit<ResponseReasoningItem, "id">;

/**
 * A request's items as the `input` of the Responses API, with the note for this answer. Texts are plain strings wherever there is nothing
 * else: llama.cpp refuses an assistant's item without a type, and other servers refuse content in parts. Reasoning goes back only to its
 * `origin`, because no other account can decrypt it, and would refuse the request. Throws `upstream_invalid_request` for an image or a
 * file in an assistant's message.
 */
export function toResponsesInput(
  { input, note }: Pick<ProviderRequest, "input" | "note">,
  origin: string | undefined,
): InputItem[] {
  const sent = sentItems(input, (item) => encryptedIn(item, origin) !== undefined);
  return alternateRoles(sent, note).flatMap(toInputItem);
}

function toInputItem(item: Item): InputItem[] {
  switch (item.type) {
    case "message":
      return [toMessage(item)];
    case "tool-call": {
      const { callId: call_id, name, arguments: args } = item;
      return [{ type: "function_call", call_id, name, arguments: args }];
    }
    case "tool-result":
      return [{ type: "function_call_output", call_id: item.callId, output: outputOf(item) }];
    case "reasoning":
      return [toReasoning(item)];
    case "source":
      return [];
  }
}

function toMessage({ role, parts }: MessageItem): ResponseInputItem {
  if (isText(parts)) return { type: "message", role, content: textOf(parts, role) };
  if (role !== "assistant") return { type: "message", role, content: parts.map(toContent) };
  throw new TroupeError("upstream_invalid_request", {
    field: "input",
    detail: "This provider takes no image or file in an assistant's message.",
  });
}

function outputOf({ output }: ToolResultItem) {
  return isText(output) ? textOf(output) : output.map(toContent);
}

function toContent(part: ItemPart): ResponseInputContent {
  if (part.type === "text") return { type: "input_text", text: part.text };
  const isInline = "data" in part;
  const url = isInline ? `data:${part.mediaType};base64,${part.data}` : part.url;
  // Servers that validate with OpenAI's Python types refuse an image without `detail`.
  if (part.type === "image") return { type: "input_image", detail: "auto", image_url: url };
  const { filename } = part;
  if (!isInline) return { type: "input_file", file_url: url };
  return { type: "input_file", filename: filename ?? "file", file_data: url };
}

/** Its encrypted form, if it is this provider's and of this origin. */
function encryptedIn(item: ReasoningItem, origin: string | undefined): string | undefined {
  const { encrypted_content } = ownState(item, openaiName, origin) ?? {};
  return typeof encrypted_content === "string" ? encrypted_content : undefined;
}

function toReasoning({ text, providerState }: ReasoningItem): InputItem {
  const summary = text === "" ? [] : [{ type: "summary_text" as const, text }];
  return { type: "reasoning", summary, encrypted_content: String(providerState?.state.encrypted_content) };
}
