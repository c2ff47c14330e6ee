import type { TroupeError } from "../protocol/errors.ts";
import type { FunctionTool, Item } from "./item.ts";
import type { JsonObject } from "./json.ts";

/** One call of a model, independent of vendors. */
export interface ProviderRequest {
  readonly model: string;
  /** System prompt; never shown to a client. */
  readonly instructions?: string;
  /**
   * The context, oldest first; the last item is the question, or the result of a tool. Neighbours may have the same role if several
   * personas have answered: for an API that wants roles to alternate, they are joined. A provider that takes only text reads it with
   * `textMessages`.
   */
  readonly input: readonly Item[];
  /** A note for this answer only. It goes after the question, so that the text before it is the same in the next request. */
  readonly note?: string;
  /** Requests with the same key start with the same text: a hint for the vendor's prompt cache. At most 64 characters. */
  readonly cacheKey?: string;
  /** 0 to 2. Left out: the vendor's default. */
  readonly temperature?: number;
  /** Maximum length of the answer, in tokens. */
  readonly maxOutputTokens?: number;
  /** Whether the vendor may store the answer. Left out: the vendor's default, or the client's own option. */
  readonly mayStore?: boolean;
  /** Id of a response stored at the vendor, which this call continues. */
  readonly previousResponseId?: string;
  /** The id of a response object that the provider makes itself. No other response has it, as ids of vendors may. */
  readonly responseId?: string;
  /** Functions that the client runs itself. */
  readonly functions?: readonly FunctionTool[];
  /** Tools in the vendor's own words. */
  readonly tools?: readonly JsonObject[];
  /** Ask the vendor for a readable summary of the model's reasoning. */
  readonly includeReasoning?: boolean;
  /** More parameters, already checked against the vendor's schema and passed on unchanged. */
  readonly options?: JsonObject;
}

/** Tokens of one call. `estimated`: the vendor gave no figures, so they were computed from the characters. */
export interface Usage {
  readonly inputTokens: number;
  /** Input tokens that the vendor read from its prompt cache, if it tells. `inputTokens` includes them. */
  readonly cachedTokens?: number;
  /** Input tokens that the vendor wrote to its prompt cache, if it tells. `inputTokens` includes them. */
  readonly cacheWriteTokens?: number;
  readonly outputTokens: number;
  /** Output tokens of reasoning, if the vendor tells. `outputTokens` includes them. */
  readonly reasoningTokens?: number;
  readonly totalTokens: number;
  readonly estimated: boolean;
  /**
   * `null`: the price is unknown, which is not 0. Absent: it was never looked up, as in answers of earlier versions. A provider sets it only if
   * the vendor itself tells the cost.
   */
  readonly cost?: Cost | null;
}

/** Money for one or more calls, in US dollars. */
export interface Cost {
  readonly usd: number;
  /** A part is by the price of a similar model, or something of a call has no price, such as a tool that the vendor runs. */
  readonly approximate: boolean;
  /** The prices of some calls are unknown, so `usd` is for the others alone. */
  readonly partial?: true;
}

export type FinishReason = "stop" | "length" | "content_filter" | "tool_calls" | "budget" | "cancelled";

/** An event of a running call; the last one of a whole answer is `end`. */
export type ProviderEvent =
  /**
   * The answer survives this call. A later call that is given `place`, also in another process, yields the events after this one and none
   * before it. Plain JSON in the provider's own words.
   */
  | { readonly type: "checkpoint"; readonly place: JsonObject }
  /**
   * The vendor accepted the call; `response` is its own response object as first sent, if it has one. `ignored` names the parameters of the
   * request that the model does not take, so that the call went without them. `usage` is the vendor's count of the input, if it tells that
   * at the start; its output is not final.
   */
  | {
      readonly type: "started";
      readonly response?: JsonObject;
      readonly ignored?: readonly string[];
      readonly usage?: Usage;
    }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** A tool call changed its state. `payload` is the vendor's own item or event. */
  | {
      readonly type: "tool";
      readonly tool: string;
      readonly status: string;
      readonly callId: string;
      readonly payload?: JsonObject;
    }
  /** A failed attempt is about to be repeated; nothing of it was shown. An attempt may cost money unless it `isUnread`. */
  | {
      readonly type: "retrying";
      readonly attempt: number;
      readonly delayMs: number;
      readonly code: string;
      readonly isUnread: boolean;
    }
  | {
      readonly type: "end";
      readonly finishReason: FinishReason;
      /** The model that answered, as the vendor names it. */
      readonly model: string;
      readonly usage?: Usage;
      /** The vendor's full response object, if it has one. */
      readonly response?: JsonObject;
      /** The whole answer as items, if it has more than text: they come back in the next request of its conversation. */
      readonly items?: readonly Item[];
    };

/** The last event of a whole answer. */
export type ProviderEnd = Extract<ProviderEvent, { type: "end" }>;

/** Whether a client sees anything of an event. A checkpoint belongs to its attempt: the next one has others. */
export function isShown({ type }: ProviderEvent): boolean {
  return type !== "started" && type !== "checkpoint";
}

/** The arguments of a call beside its request. */
export interface ProviderCall {
  readonly signal: AbortSignal;
  /** Resumes an answer that an earlier call started: the `place` of its checkpoint. */
  readonly from?: JsonObject;
}

/** The abort reason that leaves the answer to the next process: an answer that survives its call goes on. */
export class Departure extends Error {
  override readonly name = "Departure";

  constructor() {
    super("The process that ran it ends.");
  }
}

/**
 * One upstream API.
 *
 * Contract of `stream`:
 * - it yields batches (the events of one read), never an empty one, in the vendor's order;
 * - the last event of the last batch is the only `end`, and nothing follows it. If the call fails, it throws one `TroupeError` instead;
 * - when `signal` aborts, the provider closes the upstream connection and ignores late bytes. The iteration then throws the signal's
 *   reason, but only once the connection is closed;
 * - a stall is an error (`upstream_timeout`, `upstream_stalled`), never an endless wait. Time in which the caller does not ask for the
 *   next batch is no stall;
 * - ending the iteration early (`return`) closes the connection as an abort does;
 * - each call is tried once: retrying is up to the caller, guided by `TroupeError.safeToRepeat`. If the connection breaks, the provider
 *   itself resumes only an answer that survives its call, with no gap and no repeat;
 * - with `from`, the `place` of an earlier checkpoint of the same request, the provider starts no new answer. If it cannot resume, it
 *   throws the cause: the first call's own failure, or `interrupted` for a call with `from`;
 * - an abort ends such an answer at the vendor as well, unless its reason is a `Departure`. With `from`, so does one from before the call:
 *   the process that was told to stop it may have died before the vendor was.
 *
 * @example
 * import { createTroupe, type Provider, textMessages, TroupeError } from "troupe";
 *
 * const parrot: Provider = {
 *   name: "parrot",
 *   simulated: true,
 *   async *stream({ input, model, maxOutputTokens = 1_000 }, { signal }) {
 *     signal.throwIfAborted();
 *     const words = textMessages(input).at(-1)?.text.match(/\s*\S+/g) ?? [];
 *     if (words.length === 0) throw new TroupeError("upstream_empty");
 *     yield [{ type: "started" }];
 *     for (const text of words.slice(0, maxOutputTokens)) {
 *       yield [{ type: "text", text }];
 *       signal.throwIfAborted();
 *     }
 *     yield [{ type: "end", finishReason: words.length > maxOutputTokens ? "length" : "stop", model }];
 *   },
 * };
 *
 * const troupe = await createTroupe({
 *   providers: { choose: (api, model) => ({ provider: parrot, api, model: model ?? "parrot-1" }) },
 * });
 * console.log(troupe.providerSummary);
 */
export interface Provider {
  /** Stable name, e.g. `openai`, `demo`. */
  readonly name: string;
  /** True if a script answers instead of a model: every answer is then labelled as simulated. */
  readonly simulated: boolean;
  /**
   * The error of an upstream that is better left alone now, with its `retryAfterMs`: the model is then asked elsewhere, if there is another
   * place. Answers at once. Default: never.
   */
  outage?(model: string): TroupeError | undefined;
  stream(request: ProviderRequest, call: ProviderCall): AsyncIterable<ProviderEvent[]>;
}

/** The provider that answers an `api`, and the model to ask it for. */
export interface ProviderChoice {
  readonly provider: Provider;
  readonly api: string;
  readonly model: string;
  /**
   * The links that answer in its place, in this order, if a call fails before anything of it was shown and another place may help.
   * Default: none.
   */
  readonly fallbacks?: readonly FallbackLink[];
}

/** A link of a chain after the first one. */
export interface FallbackLink extends Omit<ProviderChoice, "fallbacks"> {
  /** It reads longer texts than the first link, so it is also asked after `context_length_exceeded`. Default false. */
  readonly hasLargerContext?: boolean;
}

/**
 * The providers of this server.
 *
 * `choose` throws `provider_not_configured` if no provider answers that `api`, and names the setting to change.
 */
export interface ProviderCatalog {
  choose(api: string, model: string | undefined): ProviderChoice;
  /** The `api` of a request that names none. Default: always `openai`. */
  apiFor?(model: string | undefined): string;
  /**
   * The vendor whose published prices the calls of an `api` cost, such as `openai`, `anthropic` or `gemini`. Default: no published price
   * is known.
   */
  vendorOf?(api: string): string | undefined;
  /**
   * Every `api` with its models. Old lists are asked for again, which takes seconds at most. Never rejects. Default: nothing is
   * listed.
   */
  list?(): Promise<readonly ListedApi[]>;
}

/** One `api` with its models, for callers: without addresses and keys. */
export interface ListedApi {
  readonly api: string;
  /** It answers requests that name no `api`. */
  readonly isDefault: boolean;
  /** The operator named it in a setting or in the config file. */
  readonly isConfigured: boolean;
  /** A script answers instead of a model. */
  readonly simulated: boolean;
  /** Whether it answered when it was last asked for its models; `undefined` if it has not been asked yet. */
  readonly isReachable: boolean | undefined;
  /** Why there is no list of its models: the end of a sentence that starts with its name. */
  readonly problem?: string;
  /** The model of requests that name none. */
  readonly defaultModel?: string;
  /** At most 1,000. */
  readonly models: readonly { readonly id: string; readonly isListed: boolean }[];
}
