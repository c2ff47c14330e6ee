import type { Clock } from "../ports/clock.ts";
import type { ProviderEvent } from "../ports/provider.ts";
import type { TextQueue } from "./text-queue.ts";

export type ProviderEnd = Extract<ProviderEvent, { type: "end" }>;

/** How a source ended: with its end, or with an error. */
export type SourceOutcome = { readonly end: ProviderEnd } | { readonly error: unknown };

/** What comes sooner than this after it was asked for was there already. */
const promptMs = 1;

export interface PacedSourceOptions {
  readonly queue: TextQueue;
  readonly clock: Clock;
  /** Hears that something came or that it is over. */
  readonly onChange: () => void;
}

/**
 * A provider's stream that is asked for one batch at a time and only when told, so that what nobody is ready for waits where
 * it is. What comes goes into the queue.
 */
export class PacedSource {
  /** When everything that belongs to the stream was closed. */
  closedAtMs: number | undefined;
  outcome: SourceOutcome | undefined;
  /** Whether a batch was asked for and has not come. */
  isAsking = false;
  /** How many batches have come. */
  batches = 0;
  /** Whether some text has come. */
  sawText = false;
  /** Whether the last batch held some reasoning. */
  isReasoning = false;
  readonly #iterator: AsyncIterator<ProviderEvent[]>;
  readonly #queue: TextQueue;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #closed = Promise.withResolvers<void>();
  #isLeft = false;
  #isEnding = false;
  #askedAtMs = 0;
  #lastCameAtMs = 0;

  constructor(stream: AsyncIterable<ProviderEvent[]>, { queue, clock, onChange }: PacedSourceOptions) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#queue = queue;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Settles when everything that belongs to the stream was closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  ask(): void {
    this.isAsking = true;
    this.#askedAtMs = this.#clock.now();
    this.#iterator.next().then(this.#settle, this.#fail);
  }

  /** Asks for nothing more and ends the stream, as soon as it gives what it was asked for. */
  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    if (!this.isAsking && this.outcome === undefined) this.#endIteration();
  }

  readonly #settle = (step: IteratorResult<ProviderEvent[]>): void => {
    this.isAsking = false;
    if (step.done === true) {
      this.#conclude({ error: new Error("The provider ended without an end.") });
      return;
    }
    this.#accept(step.value);
    if (this.#isLeft && this.outcome === undefined) this.#endIteration();
  };

  readonly #fail = (error: unknown): void => {
    this.isAsking = false;
    this.#conclude({ error });
  };

  #accept(batch: readonly ProviderEvent[]): void {
    const nowMs = this.#clock.now();
    // What was there when it was asked for may have come right behind what was read before, and is shown in time for that.
    const isRhythmic = this.sawText || this.isReasoning;
    const cameAtMs = isRhythmic && nowMs - this.#askedAtMs < promptMs ? this.#lastCameAtMs : nowMs;
    this.#lastCameAtMs = nowMs;
    this.batches += 1;
    this.isReasoning = false;
    for (const event of batch) {
      if (event.type === "text") {
        this.sawText ||= event.text !== "";
        this.#queue.pushText(event.text, cameAtMs);
      } else if (event.type === "end") {
        this.outcome = { end: event };
        this.#endIteration();
        break;
      } else {
        this.isReasoning ||= event.type === "reasoning";
        this.#queue.pushEvent(event);
      }
    }
    this.#onChange();
  }

  /** Ends the iteration; its own clean-up, such as closing a connection, is waited for. */
  #endIteration(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const returned = this.#iterator.return?.() ?? Promise.resolve();
    returned.then(
      () => this.#conclude({ error: new Error("The provider was left before its end.") }),
      (error: unknown) => this.#conclude({ error }),
    );
  }

  #conclude(how: SourceOutcome): void {
    this.outcome ??= how;
    this.closedAtMs ??= this.#clock.now();
    this.#closed.resolve();
    this.#onChange();
  }
}
