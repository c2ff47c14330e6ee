import type { ParameterPlaces } from "../upstream/ignored-parameters.ts";
import type { OmissionRules } from "../upstream/omissions.ts";

/** Parameters in which servers with Chat Completions differ. */
export interface ChatDialect {
  /** The name of the limit of an answer. Ollama ignores `max_completion_tokens` and then writes without a limit. */
  readonly maxTokens: "max_tokens" | "max_completion_tokens";
  /** Whether the last chunk's usage has to be asked for. Mistral refuses the question and tells it anyway. */
  readonly asksForUsage: boolean;
  /** Only OpenAI and Azure document `store` and `prompt_cache_key`; other servers may refuse them. */
  readonly isOpenai: boolean;
  /** DeepSeek refuses calls of functions without the reasoning before them. Other servers refuse the field. */
  readonly wantsReasoning: boolean;
  /** Whether `cost` in the usage is in US dollars. OpenRouter counts in credits, which are dollars. */
  readonly tellsCost: boolean;
}

const usual: ChatDialect = {
  maxTokens: "max_tokens",
  asksForUsage: true,
  isOpenai: false,
  wantsReasoning: false,
  tellsCost: false,
};
const newer: ChatDialect = { ...usual, maxTokens: "max_completion_tokens" };

const dialects: readonly (readonly [RegExp, ChatDialect])[] = [
  [/(^|\.)openai\.(com|azure\.com)$/, { ...newer, isOpenai: true }],
  [/(^|\.)(groq\.com|x\.ai|cerebras\.ai|api\.aws)$/, newer],
  [/(^|\.)deepseek\.com$/, { ...usual, wantsReasoning: true }],
  [/(^|\.)openrouter\.ai$/, { ...usual, tellsCost: true }],
  [/(^|\.)mistral\.ai$/, { ...usual, asksForUsage: false }],
];

/** The dialect of the API at an address, by its host. A server that differs from it is learned from its refusals (`Omissions`). */
export function chatDialectOf(baseUrl: string): ChatDialect {
  const { hostname } = new URL(baseUrl);
  return dialects.find(([host]) => host.test(hostname))?.[1] ?? usual;
}

/** Parameters that servers with Chat Completions may refuse. */
export const chatOmissions: OmissionRules = {
  droppable: [
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning_effort",
    "safety_identifier",
    "stop",
    "store",
    "stream_options",
    "tools.*.function.strict",
    "temperature",
    "top_p",
    "user",
  ],
  otherName: { max_tokens: "max_completion_tokens", max_completion_tokens: "max_tokens" },
};

/** The places of parameters that a server may not take. */
export const chatPlaces: ParameterPlaces = {
  ...{ temperature: ["temperature"], top_p: ["top_p"], stop: ["stop"] },
  "reasoning.effort": ["reasoning_effort"],
  parallel_tool_calls: ["parallel_tool_calls"],
  ...{ user: ["user"], safety_identifier: ["safety_identifier"], prompt_cache_key: ["prompt_cache_key"] },
};
