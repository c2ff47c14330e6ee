import type { FunctionTool } from "../../ports/item.ts";
import { isObject, type JsonObject, type JsonValue } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ParameterPlaces } from "../upstream/ignored-parameters.ts";
import type { OmissionRules } from "../upstream/omissions.ts";
import { lacksResponse } from "../upstream/response-object.ts";
import { stopTexts } from "../upstream/stop-texts.ts";
import type { MessagesRequest, ToolChoice } from "./messages-api.ts";
import { toMessages } from "./messages-input.ts";
import { isEffort, thinkingParams } from "./thinking.ts";

/** Parameters that a model may refuse. Newer models have no temperature; older ones lack thinking, effort and strict tools. */
export const anthropicOmissions: OmissionRules = {
  droppable: [
    "temperature",
    "top_p",
    "output_config.effort",
    "thinking",
    "tools.*.strict",
    "metadata",
    "service_tier",
  ],
};

/** The places of parameters that a model may not take. */
export const anthropicPlaces: ParameterPlaces = {
  ...{ temperature: ["temperature"], top_p: ["top_p"] },
  "reasoning.effort": ["output_config.effort", "thinking"],
  ...{ user: ["metadata"], safety_identifier: ["metadata"], service_tier: ["service_tier"] },
};

/**
 * The body of a call. Options in the words of the Responses API are translated. Throws `upstream_invalid_request` with the field of the
 * first option, tool or item that has no counterpart, because nothing may be dropped in silence. `origin`: the account and model that are
 * asked.
 */
export function messagesParams(request: ProviderRequest, origin: string): MessagesRequest {
  const { options = {}, model } = request;
  if (request.previousResponseId !== undefined) throw lacksResponse();
  for (const [name, value] of Object.entries(options)) checkOption(name, value);
  const { reasoning, text } = options;
  if (isObject(reasoning) && !isEffort(reasoning.effort))
    throw refusal("options.reasoning", "Its efforts are none, minimal, low, medium, high, xhigh and max.");
  const instructions = request.instructions ?? options.instructions;
  const { system, messages } = toMessages(request, {
    instructions: typeof instructions === "string" ? instructions : undefined,
    origin,
    marksCache: (request.cacheKey ?? options.prompt_cache_key) !== undefined,
  });
  const tools = toTools(request);
  const stops = stopTexts(request);
  const choice = toolChoice(options, tools.length > 0);
  const limit = request.maxOutputTokens ?? options.max_output_tokens;
  const { thinking, effort, max_tokens } = thinkingParams({
    model,
    effort: isObject(reasoning) ? reasoning.effort : undefined,
    wantsSummary: request.includeReasoning === true,
    maxTokens: typeof limit === "number" ? limit : undefined,
    canThink: (form) => !isForced(choice) && (form === "adaptive" || startsWithThinking(messages)),
  });
  const format = isObject(text) ? formatOf(text) : {};
  const output_config = { ...(effort === undefined ? {} : { effort }), ...format };
  return {
    model,
    max_tokens,
    messages,
    stream: true,
    ...(system === undefined ? {} : { system }),
    ...sampling(request, thinking !== undefined && thinking.type !== "disabled"),
    ...(stops === undefined ? {} : { stop_sequences: stops }),
    ...userOf(options),
    ...(typeof options.service_tier === "string" ? { service_tier: tierOf(options.service_tier) } : {}),
    ...(thinking === undefined ? {} : { thinking }),
    ...(Object.keys(output_config).length === 0 ? {} : { output_config }),
    ...(tools.length === 0 ? {} : { tools }),
    ...(choice === undefined ? {} : { tool_choice: choice }),
  };
}

function refusal(field: string, reason: string): TroupeError {
  const detail = `The provider speaks the Messages API, which cannot do this. ${reason}`;
  return new TroupeError("upstream_invalid_request", { field, detail, isUnread: true });
}

/** Options that are translated, or that only the response object repeats. */
const known: ReadonlySet<string> = new Set([
  ...[
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
  ],
  ...["safety_identifier", "service_tier", "stop", "temperature", "text", "tool_choice", "top_p", "user"],
]);

/** Values with which an option asks only for the usual behaviour of the API. */
const asksNothing: Readonly<Record<string, (value: unknown) => boolean>> = {
  background: (value) => value === false,
  include: (value) => Array.isArray(value) && value.every((one) => one === "reasoning.encrypted_content"),
  store: (value) => value === false,
  truncation: (value) => value === "disabled",
};

function checkOption(name: string, value: JsonValue | undefined): void {
  if (value === undefined || known.has(name) || asksNothing[name]?.(value) === true) return;
  throw refusal(`options.${name}`, "Leave this option out.");
}

/** The API's scale ends at 1. While it thinks, a model takes no temperature. */
function sampling({ temperature, options = {} }: ProviderRequest, thinks: boolean) {
  const asked = temperature ?? options.temperature;
  const { top_p } = options;
  return {
    ...(typeof asked !== "number" || thinks ? {} : { temperature: Math.min(asked, 1) }),
    ...(typeof top_p !== "number" || thinks ? {} : { top_p }),
  };
}

function userOf({ safety_identifier, user }: JsonObject) {
  const user_id = safety_identifier ?? user;
  return typeof user_id === "string" ? { metadata: { user_id } } : {};
}

function tierOf(tier: string): "auto" | "standard_only" {
  if (tier === "auto") return tier;
  if (tier === "default") return "standard_only";
  throw refusal("options.service_tier", "Its tiers are auto and default.");
}

function formatOf({ format, verbosity }: JsonObject) {
  if (verbosity !== undefined && verbosity !== null && verbosity !== "medium")
    throw refusal("options.text.verbosity", "Ask for it in words.");
  if (!isObject(format) || format.type === "text") return {};
  const { type, schema } = format;
  if (type !== "json_schema" || !isObject(schema))
    throw refusal("options.text.format", "Give a JSON Schema, or ask for JSON in words.");
  return { format: { type, schema } as const };
}

function toolChoice(options: JsonObject, hasTools: boolean): ToolChoice | undefined {
  const choice = choiceOf(options.tool_choice);
  const isSingle = options.parallel_tool_calls === false && hasTools;
  if (!isSingle || choice?.type === "none") return choice;
  return { ...(choice ?? { type: "auto" }), disable_parallel_tool_use: true };
}

function choiceOf(choice: JsonValue | undefined): ToolChoice | undefined {
  if (choice === undefined || choice === null) return undefined;
  if (choice === "auto" || choice === "none") return { type: choice };
  if (choice === "required") return { type: "any" };
  if (isObject(choice) && choice.type === "function" && typeof choice.name === "string")
    return { type: "tool", name: choice.name };
  throw refusal("options.tool_choice", "Name a function, or a word such as auto.");
}

function isForced(choice: ToolChoice | undefined): boolean {
  return choice?.type === "any" || choice?.type === "tool";
}

/**
 * Whether the answer to the results of tools may think: models with a budget refuse to if the calls came without thinking, as those of
 * another vendor do.
 */
function startsWithThinking(messages: MessagesRequest["messages"]): boolean {
  const last = messages.at(-1)?.content;
  const isAfterTools = typeof last === "object" && last.some(({ type }) => type === "tool_result");
  const before = messages.at(-2)?.content;
  const first = typeof before === "object" ? before[0]?.type : "text";
  return !isAfterTools || first === "thinking" || first === "redacted_thinking";
}

/** The newest web search that every model has. Later ones run code and want newer models. */
const webSearch = { type: "web_search_20250305", name: "web_search" } as const;
/** A tool in the API's own words, such as `web_fetch_20250910`. */
const ownType = /_20\d{6}$/;

/** The tools of a request. Functions and web search are translated; tools in the API's own words are passed on. */
function toTools({ tools = [], functions = [] }: ProviderRequest): JsonObject[] {
  return [...tools.map(toTool), ...functions.map(toFunction)];
}

function toTool(tool: JsonObject, index: number): JsonObject {
  const { type, name, description, parameters, strict } = tool;
  if (typeof type === "string" && ownType.test(type)) return tool;
  if (type === "web_search") return toWebSearch(tool, index);
  if (type !== "function" || typeof name !== "string")
    throw toolRefusal(index, "It takes functions, web_search and its own tools, such as web_fetch_20250910.");
  return toFunction({
    name,
    parameters: isObject(parameters) ? parameters : {},
    ...(typeof description === "string" ? { description } : {}),
    ...(typeof strict === "boolean" ? { strict } : {}),
  });
}

function toFunction({ name, description, parameters, strict }: FunctionTool): JsonObject {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    // The API requires the type.
    input_schema: { type: "object", ...parameters },
    ...(strict === undefined ? {} : { strict }),
  };
}

function toWebSearch({ type: _, filters, user_location, ...rest }: JsonObject, index: number): JsonObject {
  const [unknown] = Object.keys(rest).filter((name) => rest[name] != null);
  if (unknown !== undefined) throw toolRefusal(index, `Its web search has no ${unknown}.`);
  const { allowed_domains, ...others } = isObject(filters) ? filters : {};
  const [other] = Object.keys(others);
  if (other !== undefined) throw toolRefusal(index, `Its web search has no filter ${other}.`);
  return {
    ...webSearch,
    ...(allowed_domains == null ? {} : { allowed_domains }),
    ...(isObject(user_location) ? { user_location: { ...user_location, type: "approximate" } } : {}),
  };
}

function toolRefusal(index: number, detail: string): TroupeError {
  return new TroupeError("upstream_invalid_request", { field: `tools.${index}`, detail, isUnread: true });
}
