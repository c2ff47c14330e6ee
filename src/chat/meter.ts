import type { ProviderEvent, Usage } from "../ports/provider.ts";
import type { CallBudget } from "../ports/turn-budget.ts";
import { estimatedUsage } from "../ports/usage-store.ts";
import { TroupeError } from "../protocol/errors.ts";
import { AnswerSize, answerTooLarge, keptChars } from "./answer-size.ts";
import { linkAbort } from "./linked-abort.ts";
import { readAhead } from "./pacing/read-ahead.ts";
import { estimateTokens, isUnread, utf8Bytes } from "./usage.ts";

export interface MeteredCall {
  readonly call: CallBudget;
  /** An estimate. */
  readonly inputTokens: number;
  /** The model that was asked for. */
  readonly model: string;
  readonly signal: AbortSignal;
  /** The part of the answer that another process has shown; absent if this call starts it. */
  readonly begunText?: string | undefined;
  /** Maximum length of the answer's text; see `AnswerSize`. */
  readonly maxTextChars: number;
}

/** The counter of a running provider call. */
export interface Meter {
  /**
   * The provider's batches, to be read once. If the budget stops the call, they end with an added `budget` end. Throws `answer_too_large`
   * after the part of a longer answer that fits.
   */
  readonly events: AsyncIterable<ProviderEvent[]>;
  /** The usage of the answer: the provider's own figures if it gave any, else an estimate from the text so far. */
  usage(): Usage;
  /** The usage of all attempts: the answer's, and the input of failed attempts that may have been read. */
  spent(): Usage;
  /** Whether the call was stopped because its budget was used up. */
  isCut(): boolean;
}

/**
 * Counts the usage of a call while it streams, and stops the call upstream as soon as its budget covers no more. The events until then
 * are paid for, so the reader gets them.
 */
export function createMeter(
  open: (signal: AbortSignal) => AsyncIterable<ProviderEvent[]>,
  metered: MeteredCall,
): Meter {
  const counted = new CountedStream(open, metered);
  return {
    // The rhythm may ask for a batch much later than it came, and a client chooses the rhythm.
    events: metered.call.isLimited ? readAhead(counted, keptChars) : counted,
    usage: () => counted.usage(),
    spent: () => counted.spent(),
    isCut: () => counted.isCut,
  };
}

type Step = IteratorResult<ProviderEvent[], undefined>;

/** Not a generator: an answer is read once per beat, and a read that waits for nothing should cost only one more promise. */
class CountedStream implements AsyncIterableIterator<ProviderEvent[]> {
  isCut = false;
  #isTooLarge = false;
  readonly #size: AnswerSize;
  readonly #metered: MeteredCall;
  readonly #stop: ReturnType<typeof linkAbort>;
  readonly #source: AsyncIterator<ProviderEvent[]>;
  #outputBytes: number;
  #known: Usage | undefined;
  /** The provider has answered the current attempt. */
  #began: boolean;
  /** The attempt that ended the call was refused before a model read it. */
  #wasTurnedAway = false;
  /** Earlier attempts that may have been read. */
  #readAttempts = 0;
  /** The last batch was returned. */
  #isLast = false;
  #isOver = false;

  constructor(open: (signal: AbortSignal) => AsyncIterable<ProviderEvent[]>, metered: MeteredCall) {
    this.#metered = metered;
    this.#outputBytes = utf8Bytes(metered.begunText ?? "");
    this.#size = new AnswerSize(metered.maxTextChars, metered.begunText?.length ?? 0);
    this.#began = metered.begunText !== undefined;
    this.#stop = linkAbort(metered.signal);
    this.#source = open(this.#stop.signal)[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  usage(): Usage {
    if (this.#known !== undefined) return this.#known;
    const inputTokens = this.#wasTurnedAway ? 0 : this.#metered.inputTokens;
    return estimatedUsage(inputTokens, estimateTokens(this.#outputBytes));
  }

  spent(): Usage {
    const usage = this.usage();
    const input = this.#readAttempts * this.#metered.inputTokens;
    return input === 0 ? usage : estimatedUsage(usage.inputTokens + input, usage.outputTokens);
  }

  next(): Promise<Step> {
    return this.#isLast || this.#isOver ? this.#finish() : this.#source.next().then(this.#count, this.#fail);
  }

  async return(): Promise<Step> {
    if (!this.#isOver) await this.#end();
    return { done: true, value: undefined };
  }

  readonly #count = (step: IteratorResult<ProviderEvent[]>): Step | Promise<Step> => {
    if (step.done === true) return this.#finish();
    const batch = step.value;
    const { call } = this.#metered;
    const [first] = batch;
    // It is alone in its batch, because nothing of the attempt was shown.
    if (first?.type === "retrying") {
      this.#began = this.#metered.begunText !== undefined;
      return first.isUnread ? step : this.#repeat(step);
    }
    this.#began = true;
    for (const event of batch) this.#outputBytes += outputBytes(event);
    const fitting = this.#size.fitting(batch);
    if (fitting !== batch) return this.#stopAfter(fitting);
    const end = batch.at(-1);
    if (end?.type === "end") {
      this.#known = end.usage;
      this.#isLast = true;
      return { done: false, value: [...batch.slice(0, -1), cutByLimit(end, call)] };
    }
    // Output within the covered part needs no other process, so nothing is awaited.
    const isCovered = call.cover(estimateTokens(this.#outputBytes));
    return isCovered === true ? step : this.#cutUnless(isCovered, step);
  };

  /** Pays for a failed attempt that may have been read, and for the next one. */
  async #repeat(step: Step): Promise<Step> {
    this.#readAttempts += 1;
    try {
      await this.#metered.call.repeat();
      return step;
    } catch (refused) {
      // No further attempt is sent.
      this.#wasTurnedAway = true;
      await this.#end();
      throw refused;
    }
  }

  /** Returns the last batch, cut to fit. The call is closed now, not only when the rhythm asks again. */
  #stopAfter(value: ProviderEvent[]): Step {
    this.#isTooLarge = true;
    this.#isLast = true;
    this.#stop.abort(answerTooLarge);
    return { done: false, value };
  }

  async #cutUnless(isCovered: boolean | Promise<boolean>, step: Step): Promise<Step> {
    try {
      this.isCut = !(await isCovered);
    } catch (fault) {
      await this.#end();
      throw fault;
    }
    this.#isLast = this.isCut;
    if (this.isCut) this.#stop.abort(new TroupeError("budget_exhausted"));
    return step;
  }

  readonly #fail = (thrown: unknown): never => {
    this.#wasTurnedAway = !this.#began && isUnread(thrown);
    this.#settle();
    throw thrown;
  };

  /** Ends the stream after the last batch. A stream that was cut gets an added end. */
  async #finish(): Promise<Step> {
    if (this.#isOver) return { done: true, value: undefined };
    await this.#end();
    if (this.#isTooLarge) throw answerTooLarge;
    if (!this.isCut) return { done: true, value: undefined };
    const { model } = this.#metered;
    return { done: false, value: [{ type: "end", finishReason: "budget", model }] };
  }

  async #end(): Promise<void> {
    try {
      await this.#source.return?.();
    } finally {
      this.#settle();
    }
  }

  #settle(): void {
    this.#isOver = true;
    this.#stop[Symbol.dispose]();
    this.#metered.call.settle(this.spent());
  }
}

/** Bytes of an event that a model has written; an approximation for a tool. */
function outputBytes(event: ProviderEvent): number {
  if (event.type === "text" || event.type === "reasoning") return utf8Bytes(event.text);
  return event.type === "tool" ? keptChars(event) : 0;
}

/** If an answer ends at an output limit that a budget set, the budget is the reason. */
function cutByLimit(
  end: Extract<ProviderEvent, { type: "end" }>,
  { mostOutputTokens }: CallBudget,
): ProviderEvent {
  return mostOutputTokens !== undefined && end.finishReason === "length"
    ? { ...end, finishReason: "budget" }
    : end;
}
