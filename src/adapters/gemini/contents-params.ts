import { isObject, type JsonObject, type JsonValue } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ParameterPlaces } from "../upstream/ignored-parameters.ts";
import type { OmissionRules } from "../upstream/omissions.ts";
import { lacksResponse } from "../upstream/response-object.ts";
import { stopTexts } from "../upstream/stop-texts.ts";
import { type GeminiContent, systemTexts, toContents } from "./contents.ts";

interface FunctionDeclaration {
  readonly name: string;
  readonly description?: string;
  readonly parametersJsonSchema?: JsonObject;
}

interface GeminiTool {
  readonly functionDeclarations?: readonly FunctionDeclaration[];
  readonly googleSearch?: object;
  readonly codeExecution?: object;
  readonly urlContext?: object;
}

/** Fields of the API (`GenerationConfig`). */
interface GenerationConfig {
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxOutputTokens?: number;
  readonly stopSequences?: readonly string[];
  readonly responseMimeType?: string;
  readonly responseJsonSchema?: JsonValue;
  readonly thinkingConfig?: {
    readonly includeThoughts?: boolean;
    readonly thinkingBudget?: number;
    readonly thinkingLevel?: ThinkingLevel;
  };
}

/** Fields of the API (`GenerateContentRequest`). The model is part of the address. */
export interface GeminiParams {
  readonly model: string;
  readonly contents: readonly GeminiContent[];
  readonly systemInstruction?: { readonly parts: readonly { readonly text: string }[] };
  readonly tools?: readonly GeminiTool[];
  readonly toolConfig?: { readonly functionCallingConfig: FunctionChoice };
  readonly generationConfig?: GenerationConfig;
}

interface FunctionChoice {
  readonly mode: "AUTO" | "ANY" | "NONE";
  readonly allowedFunctionNames?: readonly string[];
}

type ThinkingLevel = "MINIMAL" | "LOW" | "MEDIUM" | "HIGH" | "XHIGH";

/** Parameters that a model may refuse. */
export const geminiOmissions: OmissionRules = {
  droppable: ["generationConfig.temperature", "generationConfig.topP", "generationConfig.thinkingConfig"],
};

/** The places of parameters that a model may not take. */
export const geminiPlaces: ParameterPlaces = {
  ...{ temperature: ["generationConfig.temperature"], top_p: ["generationConfig.topP"] },
  "reasoning.effort": ["generationConfig.thinkingConfig"],
};

/**
 * The parameters of a call. Options in the words of the Responses API are translated. Throws `upstream_invalid_request` with the field of
 * the first option, tool or item that has no counterpart, because nothing may be dropped in silence, and `previous_response_not_found` if
 * there is a `previousResponseId`. `origin`: the account and model that are asked.
 */
export function geminiParams(request: ProviderRequest, origin: string): GeminiParams {
  const { options = {}, previousResponseId, model } = request;
  if (previousResponseId !== undefined) throw lacksResponse();
  for (const [name, value] of Object.entries(options)) refuseOption(name, value);
  const rules = geminiModelOf(model);
  const given = request.instructions ?? options.instructions;
  const system = [...(typeof given === "string" ? [given] : []), ...systemTexts(request.input)];
  const texts = system.filter((text) => text.trim() !== "").map((text) => ({ text }));
  const tools = toolsOf(request);
  const choice = choiceOf(options.tool_choice);
  const generationConfig = configOf(request, rules);
  return {
    model,
    contents: toContents(request, { origin, wantsSignatures: rules.wantsSignatures }),
    ...(texts.length === 0 ? {} : { systemInstruction: { parts: texts } }),
    ...(tools.length === 0 ? {} : { tools }),
    ...(choice === undefined ? {} : { toolConfig: { functionCallingConfig: choice } }),
    ...(Object.keys(generationConfig).length === 0 ? {} : { generationConfig }),
  };
}

function refusal(field: string, reason: string): TroupeError {
  const detail = `The provider speaks the Gemini API, which cannot do this. ${reason}`;
  return new TroupeError("upstream_invalid_request", { field, detail, isUnread: true });
}

/** Options that are translated, or that only help the vendor's cache. */
const translated: ReadonlySet<string> = new Set([
  ...["instructions", "max_output_tokens", "prompt_cache_key", "prompt_cache_retention"],
  ...["reasoning", "stop", "temperature", "text", "tool_choice", "top_p"],
]);

/** Values with which an option asks only for the usual behaviour of Gemini. */
const asksNothing: Readonly<Record<string, (value: unknown) => boolean>> = {
  background: (value) => value === false,
  include: (value) => Array.isArray(value) && value.every((one) => one === "reasoning.encrypted_content"),
  parallel_tool_calls: (value) => value === true,
  store: (value) => value === false,
  truncation: (value) => value === "disabled",
};

function refuseOption(name: string, value: unknown): void {
  if (value === undefined || translated.has(name) || asksNothing[name]?.(value) === true) return;
  throw refusal(`options.${name}`, "Leave this option out.");
}

function configOf(request: ProviderRequest, { takesSampling, thinking }: GeminiModel): GenerationConfig {
  const { options = {} } = request;
  const temperature = request.temperature ?? numberOf(options.temperature);
  const topP = numberOf(options.top_p);
  const maxOutputTokens = request.maxOutputTokens ?? numberOf(options.max_output_tokens);
  const stopSequences = stopTexts(request);
  const thinkingConfig = {
    ...(request.includeReasoning === true && thinking !== undefined ? { includeThoughts: true } : {}),
    ...effortOf(options.reasoning, thinking),
  };
  return {
    ...(takesSampling && temperature !== undefined ? { temperature } : {}),
    ...(takesSampling && topP !== undefined ? { topP } : {}),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(stopSequences === undefined ? {} : { stopSequences }),
    ...(Object.keys(thinkingConfig).length === 0 ? {} : { thinkingConfig }),
    ...formatOf(options.text),
  };
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** Gemini's own figures for effort, as its endpoint for Chat Completions uses them. A model of Gemini 3 cannot do without any thinking. */
const efforts: Readonly<Record<string, { readonly level: ThinkingLevel; readonly budget: number }>> = {
  none: { level: "MINIMAL", budget: 0 },
  minimal: { level: "MINIMAL", budget: 1_024 },
  low: { level: "LOW", budget: 1_024 },
  medium: { level: "MEDIUM", budget: 8_192 },
  high: { level: "HIGH", budget: 24_576 },
  xhigh: { level: "XHIGH", budget: 24_576 },
  max: { level: "XHIGH", budget: 24_576 },
};

function effortOf(reasoning: unknown, thinking: GeminiModel["thinking"]): GenerationConfig["thinkingConfig"] {
  const effort = isObject(reasoning) ? reasoning.effort : undefined;
  if (effort == null || (effort === "none" && thinking === undefined)) return {};
  const asked = typeof effort === "string" && Object.hasOwn(efforts, effort) ? efforts[effort] : undefined;
  if (asked === undefined || thinking === undefined)
    throw refusal("options.reasoning", "This model has no such effort.");
  return thinking === "level" ? { thinkingLevel: asked.level } : { thinkingBudget: asked.budget };
}

function formatOf(text: unknown): GenerationConfig {
  const { format, verbosity } = isObject(text) ? text : {};
  if (verbosity != null) throw refusal("options.text", "Leave the verbosity out.");
  if (!isObject(format) || format.type === "text") return {};
  const json = { responseMimeType: "application/json" };
  if (format.type === "json_object") return json;
  if (format.type !== "json_schema" || !isObject(format.schema))
    throw refusal("options.text", "It knows only JSON, with or without a schema.");
  return { ...json, responseJsonSchema: format.schema };
}

function choiceOf(choice: JsonValue | undefined): FunctionChoice | undefined {
  if (choice === undefined || choice === "auto") return undefined;
  if (choice === "none") return { mode: "NONE" };
  if (choice === "required") return { mode: "ANY" };
  if (isObject(choice) && choice.type === "function" && typeof choice.name === "string")
    return { mode: "ANY", allowedFunctionNames: [choice.name] };
  throw refusal("options.tool_choice", "Name a function, or a word such as auto.");
}

/** Google's own tools, by the names that the Responses API or Google has for them. */
const hostedTools: Readonly<Record<string, GeminiTool>> = {
  web_search: { googleSearch: {} },
  web_search_preview: { googleSearch: {} },
  google_search: { googleSearch: {} },
  code_interpreter: { codeExecution: {} },
  code_execution: { codeExecution: {} },
  url_context: { urlContext: {} },
};

function toolsOf({ tools = [], functions = [] }: ProviderRequest): GeminiTool[] {
  const declared: FunctionDeclaration[] = functions.map(({ name, description, parameters }) => ({
    name,
    ...(description === undefined ? {} : { description }),
    parametersJsonSchema: parameters,
  }));
  const hosted: GeminiTool[] = [];
  for (const [index, tool] of tools.entries()) {
    const { type } = tool;
    const own = typeof type === "string" && Object.hasOwn(hostedTools, type) ? hostedTools[type] : undefined;
    if (own !== undefined) hosted.push(own);
    else declared.push(declarationOf(tool, index));
  }
  return [...hosted, ...(declared.length === 0 ? [] : [{ functionDeclarations: declared }])];
}

function declarationOf(
  { type, name, description, parameters }: JsonObject,
  index: number,
): FunctionDeclaration {
  if (type !== "function" || typeof name !== "string")
    throw refusal(`tools.${index}`, "It takes functions, web_search, code_interpreter and url_context.");
  return {
    name,
    ...(typeof description === "string" ? { description } : {}),
    ...(isObject(parameters) ? { parametersJsonSchema: parameters } : {}),
  };
}

/** Rules in which the generations of Gemini differ. */
interface GeminiModel {
  /** Google tells developers to send no temperature and no `topP` to Gemini 3 and later, which ignore them or will refuse them. */
  readonly takesSampling: boolean;
  /** How effort is asked for; `undefined` if the model does not think. */
  readonly thinking: "level" | "budget" | undefined;
  /** Gemini 3 and later refuse a call of a function without the signature of the reasoning before it. */
  readonly wantsSignatures: boolean;
}

/**
 * The rules of a model, by its name. Names without a figure, such as `gemini-flash-latest`, stand for the newest generation, but keep the
 * temperature, which that generation still accepts.
 */
function geminiModelOf(name: string): GeminiModel {
  const [, figure] = /\bgemini-(\d+(?:\.\d+)?)(?![\d.])/.exec(name) ?? [];
  const generation = figure === undefined ? undefined : Number(figure);
  if (generation === undefined) return { takesSampling: true, thinking: "level", wantsSignatures: true };
  return {
    takesSampling: generation < 3,
    thinking: generation >= 3 ? "level" : generation >= 2.5 ? "budget" : undefined,
    wantsSignatures: generation >= 3,
  };
}
