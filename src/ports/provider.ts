import type { JsonObject } from "./json.ts";

/** One earlier message of the context that a model is given. */
export interface ProviderMessage {
  readonly role: "user" | "assistant";
  readonly text: string;
}

/** One call of a model, in no vendor's words. */
export interface ProviderRequest {
  readonly model: string;
  /** System prompt; never shown to a client. */
  readonly instructions?: string;
  /**
   * The context, oldest first; the first is a user's, the last one is the question. Neighbours may have one role, where several have
   * answered: an API that wants roles to alternate is sent them joined.
   */
  readonly messages: readonly ProviderMessage[];
  /** A word for this answer only. It goes after the question, so that what comes before it is the same in the next request. */
  readonly note?: string;
  /** Requests with the same key begin with the same words: a hint for the vendor's prompt cache. At most 64 characters. */
  readonly cacheKey?: string;
  /** 0 to 2. Left out: the vendor's default. */
  readonly temperature?: number;
  /** Upper limit of the answer in tokens. */
  readonly maxOutputTokens?: number;
  /** Id of a stored response at the vendor that this call continues. */
  readonly previousResponseId?: string;
  readonly tools?: readonly JsonObject[];
  /** Ask the vendor for a readable summary of the model's reasoning. */
  readonly includeReasoning?: boolean;
  /** Further parameters, already checked against the vendor's schema, passed on as they are. */
  readonly options?: JsonObject;
}

/** Tokens of one call. `estimated` when the vendor gave none and they were counted from the characters. */
export interface Usage {
  readonly inputTokens: number;
  /** Input tokens that the vendor read from its prompt cache, where it tells; `inputTokens` counts them too. */
  readonly cachedTokens?: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
  readonly estimated: boolean;
}

export type FinishReason = "stop" | "length" | "content_filter" | "tool_calls" | "budget" | "cancelled";

/** What a provider tells while a call runs; the last one of a whole answer is `end`. */
export type ProviderEvent =
  /**
   * The answer goes on without this call: another call, of another process as well, that is given `place` tells what comes
   * behind this event, and nothing of what came before it. Plain JSON in the provider's own words.
   */
  | { readonly type: "checkpoint"; readonly place: JsonObject }
  /** The vendor accepted the call; `response` is its own response object as first sent, where it has one. */
  | { readonly type: "started"; readonly response?: JsonObject }
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
  /** A failed attempt is about to be repeated; nothing of it was shown. One that is not `isUnread` may have to be paid. */
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
      /** The vendor's full response object, where it has one. */
      readonly response?: JsonObject;
    };

/** What a call is made with beside its request. */
export interface ProviderCall {
  readonly signal: AbortSignal;
  /** Takes up an answer that an earlier call began. */
  readonly from?: JsonObject;
}

/** The reason of an abort that leaves the answer to the next process: what goes on without its call goes on. */
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
 * - yields batches (what one read gave), never an empty one, in the vendor's order;
 * - the last event of the last batch is the only `end`; nothing follows it; or it throws one `TroupeError` instead;
 * - when `signal` aborts, the upstream connection is closed, late bytes are ignored, and the iteration ends by throwing the
 *   signal's reason, only after the connection is closed;
 * - a stall is an error (`upstream_timeout`, `upstream_stalled`), never a wait without end; time in which nobody asks for the
 *   next batch does not count as a stall;
 * - ending the iteration early (`return`) closes the connection as abort does;
 * - a call is tried once: retrying is the caller's business, guided by `TroupeError.safeToRepeat`. Only an answer that goes on
 *   without its call is taken up again by the provider itself where the connection breaks, with no gap and no repeat;
 * - with `from`, the `place` of an earlier checkpoint of the same request, no new answer is begun. What cannot be taken up again ends as
 *   what broke it: the first call's own failure, or `interrupted` for one with `from`;
 * - an abort ends such an answer at the vendor as well, unless its reason is a `Departure`.
 */
export interface Provider {
  /** Stable name, e.g. `openai`, `demo`. */
  readonly name: string;
  /** True where no model answers but a script: every answer is then labelled so. */
  readonly simulated: boolean;
  stream(request: ProviderRequest, call: ProviderCall): AsyncIterable<ProviderEvent[]>;
}
