import type { Item } from "../ports/item.ts";
import type { JsonObject } from "../ports/json.ts";
import type { FinishReason, ProviderEnd, ProviderRequest, Usage } from "../ports/provider.ts";
import type { ProviderChoice } from "../ports/provider-catalog.ts";
import type { TurnBudget } from "../ports/turn-budget.ts";
import type { AnswerSource, CancelReport } from "../ports/turn-event.ts";
import type { Pacing } from "../ports/turn-request.ts";
import type { CallOutcome } from "../ports/usage-store.ts";
import { TroupeError } from "../protocol/errors.ts";
import { itemsWithSources, sourcesOf } from "./answer-sources.ts";
import { type Call, type CallEnd, openCall } from "./call.ts";
import { Cancellation, type ChatDependencies, type Emit } from "./chat-context.ts";
import { LaneSteps } from "./lane-steps.ts";
import { linkAbort } from "./linked-abort.ts";
import { AnswerSize, answerTooLarge } from "./meter.ts";
import { type PaceResult, pace } from "./pacing/pace.ts";
import type { BegunLane } from "./recovered-lanes.ts";
import { isUnpaid, sumUsage } from "./usage.ts";

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
  /** False leaves the text events out. */
  readonly showText: boolean;
  /** The budget that pays for its calls. */
  readonly budget: TurnBudget;
  /** Called once: the provider has started to answer, or will not be asked again. */
  readonly onSent: () => void;
  /** Whether the log has no room for more of the answer. */
  readonly isFull: () => boolean;
  readonly signal: AbortSignal;
  /** The part that another process has shown: the lane continues after it. */
  readonly begun?: BegunLane | undefined;
}

/** The result of a lane. A failed call is a result: a lane throws only if its events cannot be stored. */
export interface LaneResult {
  readonly status: "completed" | "failed" | "cancelled";
  /** The text of all calls. */
  readonly text: string;
  /** Like `finishReason` and `response`, of the last call. */
  readonly model: string;
  readonly finishReason?: FinishReason;
  /** Of all calls together. */
  readonly usage?: Usage;
  /** The vendor's response object: the final one, or the first snapshot if the vendor did not get to its end. */
  readonly response?: JsonObject;
  /** The answer as items, if it is more than text. Absent if it is not whole, or of several calls. */
  readonly items?: readonly Item[];
  /** Its budget was used up before it came to an end. */
  readonly isCut?: true;
  readonly error?: TroupeError;
  readonly cancel?: CancelReport;
}

/**
 * Runs one lane. It emits `starting`, then for each call `processing` and the provider's answer in its rhythm (`streaming` with its first
 * text). A call is made only after the answers before it were shown. In every case there is one final text, and `completed` if the lane
 * completed. A lane whose first call no budget can pay fails without a call. A lane whose budget runs out on the way completes with the
 * text so far.
 */
export async function runLane(lane: Lane, dependencies: ChatDependencies, emit: Emit): Promise<LaneResult> {
  using stop = linkAbort(lane.signal);
  return await new LaneCalls(lane, dependencies, { stop, emit }).run();
}

/** Makes the calls of one lane, one after the other. */
class LaneCalls {
  readonly #lane: Lane;
  readonly #dependencies: ChatDependencies;
  readonly #stop: AbortController;
  readonly #steps: LaneSteps;
  readonly #size: AnswerSize;
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

  constructor(
    lane: Lane,
    dependencies: ChatDependencies,
    { stop, emit }: { stop: AbortController; emit: Emit },
  ) {
    this.#lane = lane;
    this.#dependencies = dependencies;
    this.#stop = stop;
    this.#steps = new LaneSteps({ ...lane, simulated: lane.choice.provider.simulated, stop, emit });
    this.#size = new AnswerSize(dependencies.mostAnswerChars, this.#steps.text.length);
    this.#index = lane.begun?.checkpoint.call ?? 0;
    this.#request = lane.request;
    this.#begun = lane.begun;
    this.#earlierUsage = lane.begun?.checkpoint.earlierUsage;
  }

  async run(): Promise<LaneResult> {
    let result = await this.#makeCall();
    while (result === undefined) result = await this.#makeCall();
    this.#onSent();
    await this.#steps.end(
      result.status === "completed",
      this.#lane.includeSources === true ? this.#sources : [],
    );
    return result;
  }

  /** Makes the current call. Returns the lane's result, or `undefined` if another call follows. */
  async #makeCall(): Promise<LaneResult | undefined> {
    let call: Call;
    try {
      const opened = this.#open();
      call = opened instanceof Promise ? await opened : opened;
    } catch (refused) {
      return this.#refused(TroupeError.from(refused));
    }
    await this.#start(call);
    const outcome = this.#outcomeOf(await this.#pace(call));
    const next = this.#steps.nextRequest;
    const usage = sumUsage([this.#earlierUsage, call.usage()]);
    if (next === undefined || outcome.type !== "ended") {
      const result = this.#conclude(outcome, usage, call.isCut);
      call.record(recordedOutcome(result), result.error);
      return result;
    }
    call.record("completed");
    this.#index += 1;
    this.#request = next;
    this.#begun = undefined;
    this.#earlierUsage = usage;
    this.#lastEnd = outcome.end;
    return undefined;
  }

  #open(): Call | Promise<Call> {
    const { key, choice, budget } = this.#lane;
    const { clock, retry } = this.#dependencies;
    return openCall({
      key,
      index: this.#index,
      choice,
      request: this.#request,
      budget,
      size: this.#size,
      onSent: this.#onSent,
      signal: this.#stop.signal,
      begun: this.#begun,
      rebuild: this.#index === 0 ? this.#lane.rebuild : undefined,
      clock,
      retry,
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
        nextRequest: this.#lane.nextRequest && ((text) => this.#requestAfter(call, text)),
      });
    } catch (fault) {
      call.record("failed", TroupeError.from(fault));
      throw fault;
    }
  }

  async #pace(call: Call): Promise<PaceResult> {
    const { show: emit } = this.#steps;
    const { signal } = this.#stop;
    const { clock } = this.#dependencies;
    try {
      return await pace(call.events(), this.#lane.pacing, { clock, signal, emit });
    } catch (fault) {
      // The log takes nothing more from this lane, so its call ends now rather than with its next batch.
      this.#stop.abort(fault);
      throw fault;
    }
  }

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

  /** The result of a lane whose current call was not opened. */
  #refused(error: TroupeError): LaneResult {
    const { text } = this.#steps;
    const usage = this.#earlierUsage === undefined ? {} : { usage: this.#earlierUsage };
    const last = this.#lastEnd;
    if (last === undefined || !isUnpaid(error))
      return { status: "failed", text, model: this.#lane.choice.model, ...usage, error };
    const { model, response } = last;
    return {
      ...{ status: "completed", text, model, finishReason: "budget", ...usage, isCut: true },
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
        ...{ status: "completed", text, model, finishReason, ...used },
        ...(response === undefined ? {} : { response }),
        ...(items === undefined ? {} : { items }),
        ...(isCut ? { isCut } : {}),
      };
    }
    const partial = {
      ...{ text, model: this.#lane.choice.model, ...used },
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

/** The outcome of a lane's last call. */
function recordedOutcome({ status, finishReason, error }: LaneResult): CallOutcome {
  if (status === "completed" && finishReason === "budget") return "budget";
  return error?.code === "interrupted" ? "interrupted" : status;
}
