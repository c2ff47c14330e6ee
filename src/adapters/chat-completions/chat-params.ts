import type { ChatCompletionCreateParamsStreaming } from "openai/resources/chat/completions";
import { isObject, type JsonObject, type JsonValue } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { lacksResponse } from "../upstream/response-object.ts";
import { toChatMessages } from "./chat-messages.ts";
import type { ChatDialect } from "./dialects.ts";

/**
 * The parameters of a call. Options in the words of the Responses API are translated. Throws `upstream_invalid_request` with the field of
 * the first option, tool or item that has no counterpart, because nothing may be dropped in silence.
 */
export function chatParams(
  request: ProviderRequest,
  { maxTokens, asksForUsage, isOpenai, wantsReasoning }: ChatDialect,
  origin?: string,
): ChatCompletionCreateParamsStreaming {
  const { options = {}, cacheKey, previousResponseId } = request;
  if (previousResponseId !== undefined) throw lacksResponse();
  const translated = translate(options);
  const limit = request.maxOutputTokens ?? options.max_output_tokens;
  const tools = toolsOf(request);
  const instructions = request.instructions ?? options.instructions;
  const params = {
    ...translated,
    model: request.model,
    messages: toChatMessages(request, {
      instructions: typeof instructions === "string" ? instructions : undefined,
      origin,
      wantsReasoning,
    }),
    stream: true,
    ...(asksForUsage ? { stream_options: { include_usage: true } } : {}),
    ...(isOpenai && request.mayStore === false ? { store: false } : {}),
    ...(isOpenai && cacheKey !== undefined ? { prompt_cache_key: cacheKey } : {}),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(limit === undefined ? {} : { [maxTokens]: limit }),
    ...(tools.length === 0 ? {} : { tools }),
  };
  // The client's options were checked against a schema that is compared with the type of the Responses API.
  return params as unknown as ChatCompletionCreateParamsStreaming;
}

function refusal(field: string, reason: string): TroupeError {
  const detail = `The provider speaks Chat Completions, which cannot do this. ${reason}`;
  return new TroupeError("upstream_invalid_request", { field, detail, isUnread: true });
}

/** Options with the same name and meaning in both APIs. */
const sameNames: ReadonlySet<string> = new Set([
  "metadata",
  "parallel_tool_calls",
  "prompt_cache_key",
  "safety_identifier",
  "service_tier",
  "stop",
  "temperature",
  "top_p",
  "user",
]);
/** Options that `chatParams` reads itself. */
const readElsewhere: ReadonlySet<string> = new Set(["instructions", "max_output_tokens"]);

/** Values with which an option asks only for the usual behaviour of Chat Completions. */
const asksNothing: Readonly<Record<string, (value: unknown) => boolean>> = {
  background: (value) => value === false,
  include: (value) => Array.isArray(value) && value.every((one) => one === "reasoning.encrypted_content"),
  store: (value) => value === false,
  truncation: (value) => value === "disabled",
};

function translate(options: JsonObject): JsonObject {
  const params: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || readElsewhere.has(name) || asksNothing[name]?.(value) === true) continue;
    if (sameNames.has(name)) params[name] = value;
    else if (name === "reasoning" && isObject(value)) Object.assign(params, effortOf(value));
    else if (name === "text" && isObject(value)) Object.assign(params, formatOf(value));
    else if (name === "tool_choice") params.tool_choice = choiceOf(value);
    else throw refusal(`options.${name}`, "Leave this option out.");
  }
  return params;
}

function effortOf({ effort }: JsonObject): JsonObject {
  return typeof effort === "string" ? { reasoning_effort: effort } : {};
}

function formatOf({ format, verbosity }: JsonObject): JsonObject {
  const talk = typeof verbosity === "string" ? { verbosity } : {};
  if (!isObject(format) || format.type === "text") return talk;
  if (format.type !== "json_schema") return { ...talk, response_format: format };
  const { type, ...json_schema } = format;
  return { ...talk, response_format: { type, json_schema } };
}

function choiceOf(choice: JsonValue): JsonValue {
  if (!isObject(choice)) return choice;
  const { type, name } = choice;
  if (type !== "function" || typeof name !== "string")
    throw refusal("options.tool_choice", "Name a function, or a word such as auto.");
  return { type, function: { name } };
}

function toolsOf({ tools = [], functions = [] }: ProviderRequest): object[] {
  const given = tools.map(({ type, ...tool }, index) => {
    if (type !== "function") throw refusal(`tools.${index}`, "It takes only functions as tools.");
    const { strict, ...described } = tool;
    // LM Studio refuses a `strict` that is neither true nor false.
    return { type, function: strict == null ? described : tool };
  });
  return [...given, ...functions.map((tool) => ({ type: "function", function: { ...tool } }))];
}
