import type { ChatCompletionCreateParamsStreaming } from "openai/resources/chat/completions";

/** The words of a server that does not know or support a parameter. A wrong value of a known one must reach the client instead. */
const isUnsupported =
  /unsupported|not supported|does not support|not permitted|not allowed|unknown|unrecogni[sz]ed|unexpected|\bextra (inputs|fields)\b|deprecated/i;

/** Parameters without which the answer is still an answer to the request. Tools, messages and the form of the answer are not. */
const droppable = [
  "parallel_tool_calls",
  "prompt_cache_key",
  "reasoning_effort",
  "safety_identifier",
  "store",
  "stream_options",
  "strict",
  "temperature",
  "top_p",
  "user",
] as const;
const otherLimit = { max_tokens: "max_completion_tokens", max_completion_tokens: "max_tokens" } as const;
type LimitName = keyof typeof otherLimit;
type Params = ChatCompletionCreateParamsStreaming;

/** The changes of one model's calls. */
interface Omission {
  readonly dropped: Set<string>;
  limit?: LimitName;
}

/** Models of one endpoint whose refusals are remembered. Clients name the models, so there could be any number. */
const maxModels = 256;

/** A refusal, as far as it may name a parameter. */
interface Refusal {
  readonly status: number;
  readonly param?: unknown;
  readonly message: string;
}

/**
 * Parameters that an endpoint has refused, by model: newer models of one vendor refuse those of older ones. A limit has two names; every
 * other parameter is left out. Kept until the process ends.
 */
export class Omissions {
  readonly #models = new Map<string, Omission>();

  /** The parameters without the refused ones. */
  apply(params: Params): Params {
    const omission = this.#models.get(params.model);
    if (omission === undefined) return params;
    const { dropped, limit } = omission;
    const kept = Object.entries(params).flatMap(([name, value]): [string, unknown][] => {
      if (dropped.has(name)) return [];
      if (name === "tools" && dropped.has("strict")) return [[name, (params.tools ?? []).map(withoutStrict)]];
      return [[limit !== undefined && name in otherLimit ? limit : name, value]];
    });
    // The entries are those of checked parameters.
    return Object.fromEntries(kept) as unknown as Params;
  }

  /** Learns from a refusal of these parameters. Returns whether the call is worth repeating: something new was learned. */
  learn(params: Params, { status, param, message }: Refusal): boolean {
    if ((status !== 400 && status !== 422) || !isUnsupported.test(message)) return false;
    const omission = this.#models.get(params.model) ?? { dropped: new Set<string>() };
    const limit = limitIn(params);
    if (limit !== undefined && names(limit, param, message)) {
      // The other name was refused before.
      if (omission.limit === limit) return false;
      omission.limit = otherLimit[limit];
    } else {
      const name = droppable.find((one) => isSent(params, one) && names(one, param, message));
      if (name === undefined) return false;
      omission.dropped.add(name);
    }
    this.#keep(params.model, omission);
    return true;
  }

  #keep(model: string, omission: Omission): void {
    const [oldest] = this.#models.keys();
    if (oldest !== undefined && this.#models.size >= maxModels && !this.#models.has(model))
      this.#models.delete(oldest);
    this.#models.set(model, omission);
  }
}

function limitIn(params: Params): LimitName | undefined {
  if ("max_tokens" in params) return "max_tokens";
  return "max_completion_tokens" in params ? "max_completion_tokens" : undefined;
}

function isSent(params: Params, name: string): boolean {
  return name === "strict"
    ? (params.tools ?? []).some((tool) => tool.type === "function" && "strict" in tool.function)
    : name in params;
}

function withoutStrict(tool: NonNullable<Params["tools"]>[number]) {
  if (tool.type !== "function") return tool;
  const { strict: _, ...rest } = tool.function;
  return { ...tool, function: rest };
}

/** Whether a refusal is about this parameter: by its path, or by its message, in which a bare word could mean anything. */
function names(name: string, param: unknown, message: string): boolean {
  if (typeof param === "string" && param !== "") return param.split(/[.[\]]/).includes(name);
  const said = String.raw`['"\x60]${name}['"\x60]|(?:^|[\s.])${name}:|: ${name}\b|\b${name} (?:is|are|was|does)\b`;
  const typed = String.raw`\b(?:parameter|argument|field|property)s? ${name}\b`;
  return new RegExp(`${said}|${typed}`).test(message);
}
