import type { Clock } from "../../ports/clock.ts";
import type { ProviderEnd, ProviderEvent } from "../../ports/provider.ts";
import type { TextQueue } from "./text-queue.ts";

/** The end of a source: its end event, or an error. */
export type SourceOutcome =
  | { readonly type: "ended"; readonly end: ProviderEnd }
  | { readonly type: "failed"; readonly error: unknown };

/**
 * The life of a source. The states of its running time are made once, because it changes with every batch.
 *
 *     idle -ask-> asking -batch-> idle
 *     idle -leave-> closing, asking -leave-> leaving -batch-> closing
 *     asking or leaving -end event-> closing -clean-up over-> closed
 *     asking or leaving -error-> closed
 *
 * `leaving`: left while a batch is asked for, and ended once that has come. `closing`: the iteration is ended; its clean-up, such as
 * closing a connection, may take a while. A source that is left has no outcome before it is closed.
 */
type SourceLife =
  | { readonly is: "idle" | "asking" | "leaving" }
  | { readonly is: "closing"; readonly outcome: SourceOutcome | undefined }
  | { readonly is: "closed"; readonly outcome: SourceOutcome; readonly atMs: number };

const idle: SourceLife = { is: "idle" };
const asking: SourceLife = { is: "asking" };
const leaving: SourceLife = { is: "leaving" };

/** A batch that comes sooner than this after it was asked for had already arrived. */
const promptMs = 1;

interface PacedSourceOptions {
  readonly queue: TextQueue;
  readonly clock: Clock;
  /** Called when a batch has come or the source is closed. */
  readonly onChange: () => void;
}

/**
 * A provider's stream, asked for one batch at a time and only when told to. Data that is not wanted yet waits in the connection. Arriving
 * text and events go into the queue.
 */
export class PacedSource {
  /** Number of batches so far. */
  batches = 0;
  /** Whether any text has come. */
  sawText = false;
  /** Whether the last batch held reasoning. */
  isReasoning = false;
  #life: SourceLife = idle;
  readonly #iterator: AsyncIterator<ProviderEvent[]>;
  readonly #queue: TextQueue;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #askedAtMs = 0;
  #lastCameAtMs = 0;

  constructor(stream: AsyncIterable<ProviderEvent[]>, { queue, clock, onChange }: PacedSourceOptions) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#queue = queue;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Whether the next batch may be asked for. */
  get isIdle(): boolean {
    return this.#life === idle;
  }

  /** Known from the end event on, which may be before everything is closed. */
  get outcome(): SourceOutcome | undefined {
    const life = this.#life;
    return life.is === "closing" || life.is === "closed" ? life.outcome : undefined;
  }

  /** When everything that belongs to the stream was closed. */
  get closedAtMs(): number | undefined {
    return this.#life.is === "closed" ? this.#life.atMs : undefined;
  }

  /** To be called only when it is idle. */
  ask(): void {
    this.#life = asking;
    this.#askedAtMs = this.#clock.now();
    this.#iterator.next().then(this.#settle, this.#fail);
  }

  /** Asks for nothing more, and ends the stream once the current batch has come. */
  leave(): void {
    if (this.#life === idle) this.#endIteration(undefined);
    else if (this.#life === asking) this.#life = leaving;
  }

  readonly #settle = (step: IteratorResult<ProviderEvent[]>): void => {
    if (step.done === true) {
      this.#fail(new Error("The provider ended without an end."));
      return;
    }
    const end = this.#accept(step.value);
    if (end !== undefined) this.#endIteration({ type: "ended", end });
    else if (this.#life === leaving) this.#endIteration(undefined);
    else this.#life = idle;
    this.#onChange();
  };

  readonly #fail = (error: unknown): void => {
    this.#close({ type: "failed", error });
  };

  /** Queues a batch. Returns its end event, after which it holds nothing. */
  #accept(batch: readonly ProviderEvent[]): ProviderEnd | undefined {
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
        return event;
      } else {
        this.isReasoning ||= event.type === "reasoning";
        this.#queue.pushEvent(event);
      }
    }
    return undefined;
  }

  /** Ends the iteration and waits for its clean-up. An end event that has come stays the outcome, however the clean-up goes. */
  #endIteration(outcome: SourceOutcome | undefined): void {
    this.#life = { is: "closing", outcome };
    const returned = this.#iterator.return?.() ?? Promise.resolve();
    returned.then(
      () => this.#close(outcome ?? left()),
      (error: unknown) => this.#close(outcome ?? { type: "failed", error }),
    );
  }

  #close(outcome: SourceOutcome): void {
    this.#life = { is: "closed", outcome, atMs: this.#clock.now() };
    this.#onChange();
  }
}

function left(): SourceOutcome {
  return { type: "failed", error: new Error("The provider was left before its end.") };
}

/** Maximum waiting values, and their maximum size in the unit of `sizeOf`. Beyond either, the source is not asked for more. */
const maxWaiting = 4_096;
const maxWaitingSize = 262_144;

/**
 * Reads a source ahead of its reader. All waiting values form one batch. Ending it ends the source, and settles once the source has
 * ended.
 */
export async function* readAhead<T>(
  source: AsyncIterable<T[]>,
  sizeOf: (value: T) => number,
): AsyncGenerator<T[]> {
  let waiting: T[] = [];
  let waitingSize = 0;
  let end: { readonly failure?: unknown } | undefined;
  let isLeft = false;
  let arrived = Promise.withResolvers<void>();
  let taken = Promise.withResolvers<void>();

  async function read(): Promise<void> {
    try {
      for await (const batch of source) {
        for (const value of batch) {
          waiting.push(value);
          waitingSize += sizeOf(value);
        }
        arrived.resolve();
        while ((waiting.length > maxWaiting || waitingSize > maxWaitingSize) && !isLeft) {
          taken = Promise.withResolvers();
          await taken.promise;
        }
        if (isLeft) break;
      }
      end = {};
    } catch (failure) {
      end = { failure };
    }
    arrived.resolve();
  }

  const reading = read();
  try {
    for (;;) {
      arrived = Promise.withResolvers();
      if (waiting.length > 0) {
        const batch = waiting;
        waiting = [];
        waitingSize = 0;
        taken.resolve();
        yield batch;
      } else if (end === undefined) {
        await arrived.promise;
      } else {
        if ("failure" in end) throw end.failure;
        return;
      }
    }
  } finally {
    isLeft = true;
    taken.resolve();
    await reading;
  }
}
