import type { ProviderChoice, ProviderEnd, ProviderRequest, Usage } from "../ports/provider.ts";
import type { TurnBudget } from "../ports/turn-budget.ts";
import type { AnswerSource } from "../ports/turn-event.ts";
import type { Pacing } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Call, type CallEnd, openCall } from "./call.ts";
import { Cancellation, type ChatDependencies, type Emit, type TurnContext } from "./chat-context.ts";
import { itemsWithSources, type LaneResult, recordedOutcome, sourcesOf } from "./lane-result.ts";
import { LaneSteps } from "./lane-steps.ts";
import { answerTooLarge, linkAbort } from "./meter.ts";
import { type PaceResult, pace } from "./pacing/pace.ts";
import type { BegunLane } from "./recovered-lanes.ts";
import { Chain } from "./retry.ts";
import { AnswerSize, isUnpaid, sumUsage } from "./usage.ts";

/** One speech of a turn: the answer of one voice, in one call of a provider or several. */
export interface Lane {
  /** Its key (`laneKey`); absent for a nameless voice. */
  readonly key?: string;
  /** The conversation that its answer goes into, told with its first event. */
  readonly conversationId?: string;
  readonly choice: ProviderChoice;
  /** The request of the first call; for a lane that is `begun`, of the call at whose checkpoint it continues. */
  readonly request: ProviderRequest;
  /**
   * Returns the request of the next call after the end of call number `index`, or `undefined` if the speech is over. Asked once for each
   * call that its provider ended, before the call's last text is shown. Default: the lane makes one call.
   */
  readonly nextRequest?: (ended: CallEnd, index: number) => ProviderRequest | undefined;
  /** Returns the first call's request with the whole context, for a provider that lacks the response to continue (`CallOptions.rebuild`). */
  readonly rebuild?: (() => Promise<ProviderRequest | undefined>) | undefined;
  readonly pacing: Pacing;
  /** Whether the sources of a completed answer are told. Default false. */
  readonly includeSources?: boolean;
  /** Whether the usage so far is told while the text streams. Default false. */
  readonly includeUsage?: boolean;
  /** False leaves the text events out. */
  readonly showText: boolean;
  /** The budget that pays for its calls. */
  readonly budget: TurnBudget;
  /** Called once: the provider has started to answer, or will not be asked again. */
  readonly onSent: () => void;
  /** Whether the log has no room for more of the answer. */
  readonly isFull: () => boolean;
  readonly signal: AbortSignal;
  /** Takes the last steps if the lane completed; see `TurnContext.emitWithNext`. Default: they are emitted. */
  readonly emitEnd?: TurnContext["emitWithNext"];
  /** The part that another process has shown: the lane continues after it. */
  readonly begun?: BegunLane | undefined;
}

/**
 * Runs one lane. It emits `starting`, then for each call `processing` and the provider's answer in its rhythm (`streaming` with its first
 * text). A call is made only after the answers before it were shown. In every case there is one final text, and `completed` if the lane
 * completed. A lane whose first call no budget can pay fails without a call. A lane whose budget runs out on the way completes with the
 * text so far. A call that fails before it has shown anything goes on with the next link of the lane's chain (`Chain`).
 */
export async function runLane(lane: Lane, dependencies: ChatDependencies, emit: Emit): Promise<LaneResult> {
  using stop = linkAbort(lane.signal);
  const calls = new LaneCalls(lane, dependencies, { stop, emit });
  let result = await calls.make();
  while (result === undefined) result = await calls.make();
  await calls.end(result);
  return result;
}

/** Least time between two statuses with the usage so far. */
const usageIntervalMs = 1_000;

/** Makes the calls of one lane, one after the other. */
class LaneCalls {
  readonly #lane: Lane;
  readonly #dependencies: ChatDependencies;
  readonly #stop: AbortController;
  readonly #steps: LaneSteps;
  readonly #size: AnswerSize;
  readonly #chain: Chain;
  /** Number of the current call. */
  #index: number;
  #request: ProviderRequest;
  #begun: BegunLane | undefined;
  /** The usage of the calls before it. */
  #earlierUsage: Usage | undefined;
  /** The end of the call before it. */
  #lastEnd: ProviderEnd | undefined;
  /** The sources of the last call. */
  #sources: readonly AnswerSource[] = [];
  #isSent = false;
  #call: Call | undefined;
  /** When the usage so far was last told, by the clock's `now`. */
  #usageToldAt = -Infinity;

  constructor(
    lane: Lane,
    dependencies: ChatDependencies,
    { stop, emit }: { stop: AbortController; emit: Emit },
  ) {
    this.#lane = lane;
    this.#dependencies = dependencies;
    this.#stop = stop;
    const runningUsage = lane.includeUsage === true ? () => this.#runningUsage() : undefined;
    const { simulated } = lane.choice.provider;
    this.#steps = new LaneSteps({ lane, simulated, runningUsage, stop, emit });
    this.#size = new AnswerSize(dependencies.maxAnswerChars, this.#steps.text.length);
    this.#chain = new Chain(lane.choice, stop.signal);
    this.#index = lane.begun?.checkpoint.call ?? 0;
    this.#request = lane.request;
    this.#begun = lane.begun;
    this.#earlierUsage = lane.begun?.checkpoint.earlierUsage;
  }

  /** Ends the lane, once `make` has returned its result. */
  end({ status }: LaneResult): Promise<void> {
    this.#onSent();
    return this.#steps.end(status === "completed", this.#lane.includeSources === true ? this.#sources : []);
  }

  /** Makes the current call. Returns the lane's result, or `undefined` if another call follows. */
  async make(): Promise<LaneResult | undefined> {
    let call: Call;
    try {
      if (this.#begun === undefined) this.#chain.passOutages();
      const isFirst = this.#chain.link === this.#lane.choice;
      const opened = this.#open(isFirst ? this.#request : await this.#requestOfLink());
      call = opened instanceof Promise ? await opened : opened;
    } catch (refused) {
      return this.#afterRefusal(TroupeError.from(refused));
    }
    await this.#start(call);
    this.#call = call;
    let outcome = this.#outcomeOf(await this.#pace(call));
    const error = outcome.type === "failed" ? TroupeError.from(outcome.error) : undefined;
    if (error !== undefined && !call.hasShown) {
      if (this.#chain.move(error)) {
        call.record("failed", error);
        return undefined;
      }
      outcome = { type: "failed", error: this.#chain.errorOf(error) };
    }
    const next = this.#steps.nextRequest;
    const usage = sumUsage([this.#earlierUsage, call.usage()]);
    if (next === undefined || outcome.type !== "ended") {
      const result = this.#conclude(outcome, usage, call.isCut);
      call.record(recordedOutcome(result), error ?? result.error);
      return result;
    }
    call.record("completed");
    this.#index += 1;
    this.#chain.startCall();
    this.#request = next;
    this.#begun = undefined;
    this.#earlierUsage = usage;
    this.#lastEnd = outcome.end;
    return undefined;
  }

  /** The usage of the lane so far; `undefined` if that was told a short time ago. */
  #runningUsage(): Usage | undefined {
    const now = this.#dependencies.clock.now();
    if (now - this.#usageToldAt < usageIntervalMs) return undefined;
    this.#usageToldAt = now;
    return sumUsage([this.#earlierUsage, this.#call?.usage()]);
  }

  /** The request for a link that is not the first. Another endpoint lacks the response to continue, but may be sent its context. */
  async #requestOfLink(): Promise<ProviderRequest> {
    const { api, model } = this.#chain.link;
    const mustRebuild = this.#request.previousResponseId !== undefined && api !== this.#lane.choice.api;
    const rebuild = this.#index === 0 ? this.#lane.rebuild : undefined;
    const request = mustRebuild ? await rebuild?.() : this.#request;
    if (request === undefined) throw new TroupeError("previous_response_not_found");
    return { ...request, model };
  }

  #open(request: ProviderRequest): Call | Promise<Call> {
    const { key, budget } = this.#lane;
    const { clock, retry, prices } = this.#dependencies;
    return openCall({
      key,
      index: this.#index,
      choice: this.#chain.link,
      request,
      isFallback: this.#chain.hasMoved,
      budget,
      size: this.#size,
      onSent: this.#onSent,
      signal: this.#stop.signal,
      begun: this.#begun,
      rebuild: this.#index === 0 ? this.#lane.rebuild : undefined,
      clock,
      retry,
      prices,
    });
  }

  readonly #onSent = (): void => {
    if (!this.#isSent) this.#lane.onSent();
    this.#isSent = true;
  };

  /** Settles when it is in the log that the call is made: in the commit of its usage row, if the log is durable. */
  async #start(call: Call): Promise<void> {
    try {
      await this.#steps.startCall({
        index: this.#index,
        earlierUsage: this.#earlierUsage,
        chainSteps: this.#chain.untold.splice(0),
        nextRequest: this.#lane.nextRequest && ((text) => this.#requestAfter(call, text)),
      });
    } catch (fault) {
      call.record("failed", TroupeError.from(fault));
      throw fault;
    }
  }

  /** Not an async function: it would hold more memory while the answer streams. */
  #pace(call: Call): Promise<PaceResult> {
    const { show: emit } = this.#steps;
    const { signal } = this.#stop;
    const { clock } = this.#dependencies;
    const isBegun = this.#begun !== undefined;
    return pace(call.events(), this.#lane.pacing, { clock, signal, isBegun, emit }).catch(this.#onPaceFault);
  }

  /** The log takes nothing more from this lane, so its call ends now rather than with its next batch. */
  readonly #onPaceFault = (fault: unknown): never => {
    this.#stop.abort(fault);
    throw fault;
  };

  /** The request of the next call. There is none after a call that failed, was stopped or used up its budget. */
  #requestAfter(call: Call, text: string): ProviderRequest | undefined {
    const { end } = call;
    if (end === undefined || end.finishReason === "budget") return undefined;
    const { type: _, ...ended } = end;
    return this.#lane.nextRequest?.({ ...ended, text, usage: call.usage() }, this.#index);
  }

  /** The outcome of the current call for its lane, which may have been stopped while the call's last text was shown. */
  #outcomeOf(how: PaceResult): PaceResult {
    if (how.type !== "ended") return how;
    const { aborted, reason } = this.#stop.signal;
    // An answer that ended may still be too large: its last piece of text did not fit.
    if (reason === answerTooLarge) return { type: "failed", error: answerTooLarge };
    if (this.#steps.nextRequest === undefined) return how;
    // A lane that has had its last text was stopped before its next call.
    if (this.#begun?.ended === true) return { type: "failed", error: new TroupeError("interrupted") };
    return aborted ? { type: "aborted", reason, closed: true, closedInMs: 0 } : how;
  }

  /** The result of a lane whose current call was not opened, unless a later link of its chain was refused and another one is left. */
  #afterRefusal(refusal: TroupeError): LaneResult | undefined {
    if (this.#chain.hasMoved && this.#chain.move(refusal)) return undefined;
    const error = this.#chain.errorOf(refusal);
    const { text } = this.#steps;
    const usage = this.#earlierUsage === undefined ? {} : { usage: this.#earlierUsage };
    const soFar = { text, ...this.#chain.facts, ...usage };
    const last = this.#lastEnd;
    if (last === undefined || !isUnpaid(error)) return { status: "failed", ...soFar, error };
    const { model, response } = last;
    return {
      ...{ status: "completed", ...soFar, model, finishReason: "budget", isCut: true },
      ...(response === undefined ? {} : { response }),
    };
  }

  #conclude(outcome: PaceResult, usage: Usage | undefined, isCut: boolean): LaneResult {
    const { text, snapshot } = this.#steps;
    const used = usage === undefined ? {} : { usage };
    if (outcome.type === "ended") {
      const { finishReason, model } = outcome.end;
      const response = isCut ? snapshot : outcome.end.response;
      const sources = sourcesOf(outcome.end, this.#steps.callStart);
      this.#sources = sources;
      const items = isCut || this.#index > 0 ? undefined : itemsWithSources(outcome.end.items, sources, text);
      return {
        ...{ status: "completed", text, ...this.#chain.facts, model, finishReason, ...used },
        ...(response === undefined ? {} : { response }),
        ...(items === undefined ? {} : { items }),
        ...(isCut ? { isCut } : {}),
      };
    }
    const partial = {
      ...{ text, ...this.#chain.facts, ...used },
      ...(snapshot === undefined ? {} : { response: snapshot }),
    };
    if (outcome.type === "failed")
      return { status: "failed", ...partial, error: TroupeError.from(outcome.error) };
    if (!(outcome.reason instanceof Cancellation))
      return { status: "failed", ...partial, error: TroupeError.from(outcome.reason) };
    const { closed: upstreamClosed, closedInMs } = outcome;
    return {
      ...{ status: "cancelled", ...partial, finishReason: "cancelled" },
      cancel: { upstreamClosed, closedInMs },
    };
  }
}
