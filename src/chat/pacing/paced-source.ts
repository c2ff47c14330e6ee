import type { Clock } from "../../ports/clock.ts";
import type { ProviderEnd, ProviderEvent } from "../../ports/provider.ts";
import type { TextQueue } from "./text-queue.ts";

/** The end of a source: its end event, or an error. */
type SourceOutcome = { readonly end: ProviderEnd } | { readonly error: unknown };

/** A batch that comes sooner than this after it was asked for had already arrived. */
const promptMs = 1;

interface PacedSourceOptions {
  readonly queue: TextQueue;
  readonly clock: Clock;
  /** Called when a batch has come or the source is over. */
  readonly onChange: () => void;
}

/**
 * A provider's stream, asked for one batch at a time and only when told to. Data that is not wanted yet waits in the connection. Arriving
 * text and events go into the queue.
 */
export class PacedSource {
  /** When everything that belongs to the stream was closed. */
  closedAtMs: number | undefined;
  outcome: SourceOutcome | undefined;
  /** Whether a batch was asked for and has not come. */
  isAsking = false;
  /** Number of batches so far. */
  batches = 0;
  /** Whether any text has come. */
  sawText = false;
  /** Whether the last batch held reasoning. */
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

  /** Asks for nothing more, and ends the stream once the current batch has come. */
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
    // A batch that had already arrived may have come right after the previous one, so its text is timed from then.
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

  /** Ends the iteration and waits for its clean-up, such as closing a connection. */
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
