import type { Cost, ProviderEnd, ProviderEvent, Usage } from "../ports/provider.ts";
import type { CallBudget } from "../ports/turn-budget.ts";
import { estimatedUsage } from "../ports/usage-store.ts";
import { TroupeError } from "../protocol/errors.ts";
import { readAhead } from "./pacing/paced-source.ts";
import { type AnswerSize, estimateTokens, isUnread, keptChars, sumUsage, utf8Bytes } from "./usage.ts";

/** The reason why a call is stopped whose answer has no more room. */
export const answerTooLarge = new TroupeError("answer_too_large");

interface MeteredCall {
  readonly call: CallBudget;
  /** An estimate for the current attempt. */
  readonly inputTokens: () => number;
  /** The model that was asked for. */
  readonly model: string;
  readonly signal: AbortSignal;
  /** The text of this call that another process has shown; absent if the call starts here. */
  readonly begunText?: string | undefined;
  /** The cost of tokens by the model that answered; `undefined` if no price is known. */
  readonly costOf: (usage: Usage, answeredBy: string | undefined) => Cost | undefined;
  /** The lane's limit. It is counted here because the part that does not fit must not be read. */
  readonly size: AnswerSize;
}

type Step = IteratorResult<ProviderEvent[], undefined>;

/**
 * The provider has not answered the current attempt (`asking`), or it has. After the last batch the stream has only to be closed
 * (`closing`), and then it is `over`.
 */
type Life = "asking" | "answering" | "closing" | "over";

/**
 * Counts the usage of a call while it streams, and stops the call upstream as soon as its budget covers no more. The events until then
 * are paid for, so the reader gets them. It is not a generator: an answer is read once per beat, and a read that waits for nothing should
 * cost only one more promise.
 */
export class Meter implements AsyncIterableIterator<ProviderEvent[]> {
  /** The end of the call, once it was read. */
  end: ProviderEnd | undefined;
  /** Ended the call before its provider did: a limit, or a `refusal` before a model read the last attempt. */
  stoppedBy: "budget" | "size" | "refusal" | undefined;
  #life: Life;
  readonly #metered: MeteredCall;
  readonly #stop: ReturnType<typeof linkAbort>;
  readonly #source: AsyncIterator<ProviderEvent[]>;
  #outputBytes: number;
  /** The vendor's count of the current attempt's input, if it told one at the start. */
  #toldInput: Usage | undefined;
  /** Input of earlier attempts that may have been read. */
  #readInput = 0;
  /** The usage of a call that is over. */
  #told: Usage | undefined;

  constructor(open: (signal: AbortSignal) => AsyncIterable<ProviderEvent[]>, metered: MeteredCall) {
    this.#metered = metered;
    this.#outputBytes = utf8Bytes(metered.begunText ?? "");
    this.#life = this.#lifeAtFirst();
    this.#stop = linkAbort(metered.signal);
    this.#source = open(this.#stop.signal)[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The provider's batches, to be read once. If the budget stops the call, they end with an added `budget` end. Throws `answer_too_large`
   * after the part of a longer answer that fits.
   */
  get events(): AsyncIterable<ProviderEvent[]> {
    // The rhythm may ask for a batch much later than it came, and a client chooses the rhythm.
    return this.#metered.call.isLimited ? readAhead(this, keptChars) : this;
  }

  /** The usage of the answer: the provider's own figures if it gave any, else an estimate from the text so far. */
  usage(): Usage {
    if (this.#told !== undefined) return this.#told;
    const usage = this.#priced(this.end?.usage ?? this.#estimated());
    // The end is final. Its price is looked up once, not for each reader.
    if (this.#life === "over") this.#told = usage;
    return usage;
  }

  /** The usage of all attempts: the answer's, and the input of failed attempts that may have been read. */
  spent(): Usage {
    const usage = this.usage();
    const repeated = this.#readInput === 0 ? undefined : this.#priced(estimatedUsage(this.#readInput, 0));
    return sumUsage([usage, repeated]) ?? usage;
  }

  #estimated(): Usage {
    const output = estimateTokens(this.#outputBytes);
    if (this.stoppedBy === "refusal") return estimatedUsage(0, output);
    const { inputTokens, cachedTokens, cacheWriteTokens } = this.#toldInput ?? {};
    return {
      ...estimatedUsage(inputTokens ?? this.#metered.inputTokens(), output),
      ...(cachedTokens === undefined ? {} : { cachedTokens }),
      ...(cacheWriteTokens === undefined ? {} : { cacheWriteTokens }),
    };
  }

  /** A vendor's own cost stays. */
  #priced(usage: Usage): Usage {
    if (usage.cost !== undefined) return usage;
    const cost = this.#metered.costOf(usage, this.end?.model);
    return cost === undefined ? usage : { ...usage, cost };
  }

  next(): Promise<Step> {
    return this.#life === "asking" || this.#life === "answering"
      ? this.#source.next().then(this.#count, this.#fail)
      : this.#finish();
  }

  async return(): Promise<Step> {
    if (this.#life !== "over") await this.#close();
    return { done: true, value: undefined };
  }

  /** A call that another process has started was answered there. */
  #lifeAtFirst(): Life {
    return this.#metered.begunText === undefined ? "asking" : "answering";
  }

  readonly #count = (step: IteratorResult<ProviderEvent[]>): Step | Promise<Step> => {
    if (step.done === true || this.#life === "over") return this.#finish();
    const batch = step.value;
    const { call, size } = this.#metered;
    const [first] = batch;
    // It is alone in its batch, because nothing of the attempt was shown.
    if (first?.type === "retrying") {
      this.#toldInput = undefined;
      this.#life = this.#lifeAtFirst();
      return first.isUnread ? step : this.#repeat(step);
    }
    this.#life = "answering";
    if (first?.type === "started") this.#toldInput = first.usage;
    for (const event of batch) this.#outputBytes += outputBytes(event);
    const fitting = size.fitting(batch);
    if (fitting !== batch) {
      this.#stopAfterThis("size", answerTooLarge);
      return { done: false, value: fitting };
    }
    const end = batch.at(-1);
    if (end?.type === "end") {
      this.end = cutByLimit(end, call);
      this.#life = "closing";
      return { done: false, value: [...batch.slice(0, -1), this.end] };
    }
    // Output within the covered part needs no other process, so nothing is awaited.
    const isCovered = call.cover(estimateTokens(this.#outputBytes));
    return isCovered === true ? step : this.#stopUnless(isCovered, step);
  };

  /** Pays for a failed attempt that may have been read, and for the next one. */
  async #repeat(step: Step): Promise<Step> {
    this.#readInput += this.#metered.inputTokens();
    try {
      await this.#metered.call.repeat();
      return step;
    } catch (refused) {
      // No further attempt is sent.
      this.stoppedBy = "refusal";
      await this.#close();
      throw refused;
    }
  }

  async #stopUnless(isCovered: boolean | Promise<boolean>, step: Step): Promise<Step> {
    try {
      if (!(await isCovered)) this.#stopAfterThis("budget", new TroupeError("budget_exhausted"));
    } catch (fault) {
      await this.#close();
      throw fault;
    }
    return step;
  }

  /** Makes the current batch the last one. The call is closed now, not only when the rhythm asks again. */
  #stopAfterThis(limit: "budget" | "size", reason: TroupeError): void {
    this.stoppedBy = limit;
    this.#life = "closing";
    this.#stop.abort(reason);
  }

  readonly #fail = (thrown: unknown): never => {
    if (this.#life === "asking" && isUnread(thrown)) this.stoppedBy = "refusal";
    this.#settle();
    throw thrown;
  };

  /** Ends the stream after the last batch. A stream that its budget stopped gets an added end. */
  async #finish(): Promise<Step> {
    if (this.#life === "over") return { done: true, value: undefined };
    await this.#close();
    if (this.stoppedBy === "size") throw answerTooLarge;
    if (this.stoppedBy !== "budget") return { done: true, value: undefined };
    const { model } = this.#metered;
    this.end = { type: "end", finishReason: "budget", model };
    return { done: false, value: [this.end] };
  }

  async #close(): Promise<void> {
    try {
      await this.#source.return?.();
    } finally {
      this.#settle();
    }
  }

  #settle(): void {
    this.#life = "over";
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
function cutByLimit(end: ProviderEnd, { maxOutputTokens }: CallBudget): ProviderEnd {
  return maxOutputTokens !== undefined && end.finishReason === "length"
    ? { ...end, finishReason: "budget" }
    : end;
}

/**
 * Makes a controller that also aborts with `signal`, for the same reason. Disposing it ends only that link. `AbortSignal.any` does the
 * same, but its signals check all of their sources each time they are asked whether they are aborted.
 */
export function linkAbort(signal: AbortSignal): AbortController & Disposable {
  return new LinkedAbort(signal);
}

class LinkedAbort extends AbortController {
  readonly #source: AbortSignal;

  constructor(source: AbortSignal) {
    super();
    this.#source = source;
    if (source.aborted) this.#follow();
    else source.addEventListener("abort", this.#follow, { once: true });
  }

  readonly #follow = (): void => this.abort(this.#source.reason);

  [Symbol.dispose](): void {
    this.#source.removeEventListener("abort", this.#follow);
  }
}
