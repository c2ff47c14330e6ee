import type { JsonObject } from "../ports/json.ts";
import type { FinishReason, ProviderEvent, ProviderRequest, Usage } from "../ports/provider.ts";
import type { ProviderChoice } from "../ports/provider-catalog.ts";
import type { CallBudget, TurnBudget } from "../ports/turn-budget.ts";
import type { CancelReport, TurnEvent, TurnStep } from "../ports/turn-event.ts";
import type { Pacing } from "../ports/turn-request.ts";
import { type CallOutcome, estimatedUsage } from "../ports/usage-store.ts";
import { TroupeError } from "../protocol/errors.ts";
import { answerTooLarge } from "./answer-size.ts";
import { behindShown } from "./behind-shown.ts";
import { Cancellation, type ChatDependencies, type Emit } from "./chat-context.ts";
import { linkAbort } from "./linked-abort.ts";
import { createMeter } from "./meter.ts";
import { type PacedEvent, type PaceResult, pace } from "./pacing/pace.ts";
import type { BegunLane } from "./recovered-lanes.ts";
import { withRetries } from "./retry.ts";
import { estimateInput } from "./usage.ts";

/** One voice's work in a turn. */
export interface Lane {
  /** Its key (`laneKey`); absent for a nameless voice. */
  readonly key?: string;
  /** The conversation that its answer goes into, told with its first event. */
  readonly conversationId?: string;
  readonly choice: ProviderChoice;
  readonly request: ProviderRequest;
  readonly pacing: Pacing;
  /** False leaves the text events out. */
  readonly showText: boolean;
  /** The budget that pays for its call. */
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
  readonly text: string;
  readonly model: string;
  readonly finishReason?: FinishReason;
  readonly usage?: Usage;
  /** The vendor's response object: the final one, or the first snapshot if the vendor did not get to its end. */
  readonly response?: JsonObject;
  /** Its budget was used up before the vendor came to an end. */
  readonly isCut?: true;
  readonly error?: TroupeError;
  readonly cancel?: CancelReport;
}

/**
 * Runs one lane. It emits `starting`, `processing`, the provider's answer in its rhythm (`streaming` with its first text), a final text
 * in every case, and `completed` if it completed. A lane that no budget can pay fails without a call. A lane whose budget runs out on the
 * way completes with the text so far.
 */
export async function runLane(
  lane: Lane,
  { clock, retry, mostAnswerChars }: ChatDependencies,
  emit: Emit,
): Promise<LaneResult> {
  const { choice, request, signal, begun } = lane;
  const simulated = choice.provider.simulated;
  const name = lane.key === undefined ? {} : { lane: lane.key };
  using stop = linkAbort(signal);
  const status = (value: "starting" | "processing" | "streaming" | "completed"): TurnEvent => ({
    type: "status",
    ...name,
    status: value,
    simulated,
  });
  const { conversationId } = lane;
  const starting = {
    ...status("starting"),
    ...(conversationId === undefined ? {} : { conversationId }),
    ...(lane.showText ? {} : { showsText: false }),
  };
  const inputTokens = estimateInput(request);
  let call: CallBudget;
  try {
    const opened = lane.budget.open({ ...planOf(lane), inputTokens });
    call = opened instanceof Promise ? await opened : opened;
  } catch (refused) {
    const final: TurnEvent[] = lane.showText ? [{ type: "text", ...name, text: "", final: true }] : [];
    await emit([starting, ...final]);
    lane.onSent();
    return { status: "failed", text: "", model: choice.model, error: TroupeError.from(refused) };
  }
  // Both are in the log before the provider is called, in one commit if the log is durable.
  if (begun === undefined) {
    await emit([starting, status("processing")]).catch((fault: unknown) => {
      call.record("failed", estimatedUsage(0, 0));
      throw fault;
    });
  }

  const { mostOutputTokens } = call;
  const allowed =
    mostOutputTokens === undefined ? request : { ...request, maxOutputTokens: mostOutputTokens };
  const from = begun === undefined ? {} : { from: begun.checkpoint.place };
  let isSent = false;
  function onSent(): void {
    if (!isSent) lane.onSent();
    isSent = true;
  }
  function open(callSignal: AbortSignal): AsyncIterable<ProviderEvent[]> {
    const stream = () => choice.provider.stream(allowed, { signal: callSignal, ...from });
    const told = withRetries(stream, retry, { clock, signal: callSignal, onBegun: onSent });
    return begun === undefined ? told : behindShown(told, begun);
  }
  let text = begun?.text ?? "";
  let streaming = text !== "";
  const meter = createMeter(open, {
    ...{ call, inputTokens, model: choice.model, signal: stop.signal },
    ...{ begunText: begun?.text, maxTextChars: mostAnswerChars },
  });
  let snapshot: JsonObject | undefined;
  const named = <Event extends object>(event: Event) =>
    lane.key === undefined ? event : { ...event, ...name };

  let isFull = false;
  /** Whether to drop an event because the log is full: from then on only the answer's end is shown. */
  function isBeyond({ type }: PacedEvent): boolean {
    if (type !== "text" && type !== "reasoning" && type !== "tool") return isFull;
    isFull ||= lane.isFull();
    if (isFull) stop.abort(answerTooLarge);
    return isFull;
  }

  function translate(event: PacedEvent): TurnStep[] {
    if (isBeyond(event)) {
      const shows = isFinal(event) && lane.showText && begun?.ended !== true;
      return shows ? [named({ type: "text", text: "", final: true })] : [];
    }
    switch (event.type) {
      case "checkpoint": {
        const textUnits = (begun?.text.length ?? 0) + event.textUnits;
        const reasoningUnits = (begun?.reasoningUnits ?? 0) + event.reasoningUnits;
        const toolEvents = (begun?.toolEvents ?? 0) + event.toolEvents;
        return [{ ...event, ...name, textUnits, reasoningUnits, toolEvents }];
      }
      case "started":
        snapshot = event.response;
        return [];
      case "retrying": {
        const { attempt, delayMs, code } = event;
        // The attempt that sent the snapshot is void.
        snapshot = undefined;
        return [
          { type: "status", ...name, status: "processing", retry: { attempt, delayMs, code }, simulated },
        ];
      }
      case "text": {
        text += event.text;
        const first = !streaming && event.text !== "";
        streaming ||= first;
        const shown: TurnEvent[] = lane.showText && begun?.ended !== true ? [named(event)] : [];
        return first ? [status("streaming"), ...shown] : shown;
      }
      default:
        return [named(event)];
    }
  }

  let last: TurnStep[] = [];
  function show(batch: readonly PacedEvent[]): Promise<void> {
    // Nearly every batch is one text, and a list that grows would waste memory on it.
    const [only] = batch;
    const steps = batch.length === 1 && only !== undefined ? translate(only) : batch.flatMap(translate);
    // The final text of a completed answer is not awaited: it is stored in one commit with the lane's end.
    const isLast = isFinal(batch.at(-1)) && !stop.signal.aborted;
    if (isLast) last = steps;
    return isLast || steps.length === 0 ? Promise.resolve() : emit(steps);
  }

  const paced = pace(meter.events, lane.pacing, { clock, signal: stop.signal, emit: show });
  const how = await paced.catch((fault: unknown) => {
    // The log takes nothing more from this lane, so its call ends now rather than with its next batch.
    stop.abort(fault);
    throw fault;
  });
  // An answer that ended may still be too large: its last piece of text did not fit.
  const isTooLarge = how.type === "ended" && stop.signal.reason === answerTooLarge;
  const outcome = isTooLarge ? ({ type: "failed", error: answerTooLarge } as const) : how;
  const result = conclude(outcome, { lane, text, snapshot, usage: meter.usage(), isCut: meter.isCut() });
  call.record(outcomeOf(result), meter.spent());
  onSent();
  if (result.status === "completed" && begun?.status === undefined) last.push(status("completed"));
  if (last.length > 0) await emit(last);
  return result;
}

function isFinal(event: PacedEvent | undefined): boolean {
  return event?.type === "text" && event.final;
}

/** The data of the call that its budget needs. */
function planOf({ key, choice, request, begun }: Lane) {
  const { maxOutputTokens } = request;
  return {
    api: choice.api,
    model: choice.model,
    isBegun: begun !== undefined,
    ...(key === undefined ? {} : { lane: key }),
    ...(maxOutputTokens === undefined ? {} : { mostOutputTokens: maxOutputTokens }),
  };
}

/** Turns the end of the stream into the lane's result. */
function conclude(
  outcome: PaceResult,
  {
    lane,
    text,
    snapshot,
    usage,
    isCut,
  }: { lane: Lane; text: string; snapshot: JsonObject | undefined; usage: Usage; isCut: boolean },
): LaneResult {
  if (outcome.type === "ended") {
    const { finishReason, model } = outcome.end;
    const response = isCut ? snapshot : outcome.end.response;
    return {
      status: "completed",
      text,
      model,
      finishReason,
      usage,
      ...(response === undefined ? {} : { response }),
      ...(isCut ? { isCut } : {}),
    };
  }
  const partial = {
    text,
    model: lane.choice.model,
    usage,
    ...(snapshot === undefined ? {} : { response: snapshot }),
  };
  if (outcome.type === "failed")
    return { status: "failed", ...partial, error: TroupeError.from(outcome.error) };
  if (!(outcome.reason instanceof Cancellation)) {
    return { status: "failed", ...partial, error: TroupeError.from(outcome.reason) };
  }
  const { closed: upstreamClosed, closedInMs } = outcome;
  return {
    status: "cancelled",
    ...partial,
    finishReason: "cancelled",
    cancel: { upstreamClosed, closedInMs },
  };
}

function outcomeOf({ status, finishReason, error }: LaneResult): CallOutcome {
  if (status === "completed" && finishReason === "budget") return "budget";
  return error?.code === "interrupted" ? "interrupted" : status;
}
