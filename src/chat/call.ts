import type { JsonObject } from "../ports/json.ts";
import type {
  Cost,
  FinishReason,
  ProviderChoice,
  ProviderEnd,
  ProviderEvent,
  ProviderRequest,
  Usage,
} from "../ports/provider.ts";
import type { CallBudget, CallPlan, TurnBudget } from "../ports/turn-budget.ts";
import { type CallOutcome, estimatedUsage } from "../ports/usage-store.ts";
import type { TroupeError } from "../protocol/errors.ts";
import type { ChatDependencies } from "./chat-context.ts";
import { Meter } from "./meter.ts";
import { type BegunLane, behindShown } from "./recovered-lanes.ts";
import { withRetries } from "./retry.ts";
import { type AnswerSize, costOf, estimateInput, hasUnpricedPart } from "./usage.ts";

export interface CallOptions extends Pick<ChatDependencies, "clock" | "retry" | "prices"> {
  /** The key of its lane; absent for a nameless voice. */
  readonly key?: string | undefined;
  /** Number of the call in its lane, from 0. */
  readonly index: number;
  readonly choice: ProviderChoice;
  readonly request: ProviderRequest;
  /** A link before this one has failed to answer it. */
  readonly isFallback?: boolean;
  /** The budget that pays for it. */
  readonly budget: TurnBudget;
  /** The size of the lane's whole answer. */
  readonly size: AnswerSize;
  /** Returns the request with the whole context, for a provider that does not have the response to continue; `undefined` if it is not kept. */
  readonly rebuild?: (() => Promise<ProviderRequest | undefined>) | undefined;
  /** Called once the provider has started to answer. */
  readonly onSent: () => void;
  readonly signal: AbortSignal;
  /** Another process started the call: it continues after the part that was shown. */
  readonly begun?: BegunLane | undefined;
}

/** A call that its provider has ended. */
export interface CallEnd {
  readonly finishReason: FinishReason;
  /** The model that answered. */
  readonly model: string;
  /** The call's own text. */
  readonly text: string;
  readonly usage: Usage;
  /** The vendor's response object, if it has one. */
  readonly response?: JsonObject;
}

/** Opens a call at its budget, which may refuse: throws like `TurnBudget.open`. The provider is not asked yet. */
export function openCall(options: CallOptions): Call | Promise<Call> {
  const inputTokens = estimateInput(options.request);
  const opened = options.budget.open({ ...planOf(options), inputTokens });
  return opened instanceof Promise
    ? opened.then((budget) => new Call(budget, inputTokens, options))
    : new Call(opened, inputTokens, options);
}

/** One call of a provider, with its retries. It is paid for and counted while it streams, and its usage is recorded once. */
export class Call {
  readonly #budget: CallBudget;
  #inputTokens: number;
  readonly #options: CallOptions;
  #meter: Meter | undefined;
  #hasShown: boolean;

  constructor(budget: CallBudget, inputTokens: number, options: CallOptions) {
    this.#budget = budget;
    this.#inputTokens = inputTokens;
    this.#options = options;
    this.#hasShown = options.begun !== undefined;
  }

  /** Makes the call, when its events are read. If the budget stops it, they end with an added `budget` end. To be called once. */
  events(): AsyncIterable<ProviderEvent[]> {
    const { choice, request, size, signal, begun, clock, retry, onSent } = this.#options;
    const from = begun === undefined ? {} : { from: begun.checkpoint.place };
    const open = (callSignal: AbortSignal) => {
      const stream = (asked: ProviderRequest) => () =>
        choice.provider.stream(this.#allowed(asked), { signal: callSignal, ...from });
      const told = withRetries(stream(request), retry, {
        ...{ clock, signal: callSignal },
        onBegun: () => {
          this.#hasShown = true;
          onSent();
        },
        replace: async (error) => {
          const rebuilt = await this.#rebuilt(error);
          return rebuilt === undefined ? undefined : stream(rebuilt);
        },
      });
      return begun === undefined ? told : behindShown(told, begun);
    };
    const inputTokens = () => this.#inputTokens;
    this.#meter = new Meter(open, {
      ...{ call: this.#budget, inputTokens, model: choice.model, signal, size },
      costOf: (usage, answeredBy) => this.#costOf(usage, answeredBy),
      begunText: begun?.text.slice(begun.callTextUnits),
    });
    return this.#meter.events;
  }

  /** The request with the output limit of its budget. */
  #allowed(request: ProviderRequest): ProviderRequest {
    const { maxOutputTokens } = this.#budget;
    return maxOutputTokens === undefined ? request : { ...request, maxOutputTokens };
  }

  async #rebuilt({ code }: TroupeError): Promise<ProviderRequest | undefined> {
    const { begun, rebuild } = this.#options;
    if (code !== "previous_response_not_found" || begun !== undefined) return undefined;
    const request = await rebuild?.();
    if (request !== undefined) this.#inputTokens = estimateInput(request);
    return request;
  }

  /** Whether a client may have seen something of it. */
  get hasShown(): boolean {
    return this.#hasShown;
  }

  #costOf(usage: Usage, answeredBy: string | undefined): Cost | undefined {
    const { choice, prices, request } = this.#options;
    const { api, model } = choice;
    return costOf(prices.priceOf({ api, model, answeredBy }), usage, hasUnpricedPart(request));
  }

  /** Its end, once it was read. */
  get end(): ProviderEnd | undefined {
    return this.#meter?.end;
  }

  /** Whether its budget stopped it. */
  get isCut(): boolean {
    return this.#meter?.stoppedBy === "budget";
  }

  /** The usage of its answer so far. */
  usage(): Usage {
    return this.#meter?.usage() ?? estimatedUsage(0, 0);
  }

  /** Records its end and its usage for good, with that of failed attempts. To be called once; a call that was not made used nothing. */
  record(outcome: CallOutcome, error?: TroupeError): void {
    this.#budget.record(outcome, this.#meter?.spent() ?? estimatedUsage(0, 0), error?.code);
  }
}

/** The data of the call that its budget needs. */
function planOf({
  key,
  index,
  choice,
  request,
  begun,
  isFallback = false,
}: CallOptions): Omit<CallPlan, "inputTokens"> {
  const { maxOutputTokens } = request;
  return {
    api: choice.api,
    model: choice.model,
    call: index,
    isBegun: begun !== undefined,
    ...(isFallback ? { isFallback } : {}),
    ...(key === undefined ? {} : { lane: key }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
  };
}
