import type { ProviderEvent } from "../../ports/provider.ts";

type Stream = AsyncIterable<ProviderEvent[]>;
type Step = IteratorResult<ProviderEvent[], undefined>;

interface ReopenedStreamOptions {
  /**
   * Returns the stream to read instead of the one whose first step failed. `undefined` reports that error; it may throw another one. It
   * must end by itself, and it is not asked after the first batch, because a client may have seen that.
   */
  readonly again: (error: unknown) => Stream | undefined;
  /** The first batch has come, so the last stream is the one that works. */
  readonly onOpen?: () => void;
}

/** A call that may be made again in another form until its first batch. It keeps the contract of `Provider.stream` if its streams do. */
export class ReopenedStream implements Stream, AsyncIterator<ProviderEvent[], undefined> {
  readonly #options: ReopenedStreamOptions;
  #stream: AsyncIterator<ProviderEvent[]>;
  #state: "opening" | "open" | "left" = "opening";

  constructor(first: Stream, options: ReopenedStreamOptions) {
    this.#options = options;
    this.#stream = first[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    return this.#state === "opening" ? this.#open() : this.#stream.next();
  }

  async return(): Promise<Step> {
    this.#state = "left";
    await this.#stream.return?.();
    return { done: true, value: undefined };
  }

  async #open(): Promise<Step> {
    for (;;) {
      try {
        const step = await this.#stream.next();
        if (this.#state === "opening") this.#state = "open";
        if (step.done !== true) this.#options.onOpen?.();
        return step;
      } catch (error) {
        if (this.#state === "left") throw error;
        const other = this.#options.again(error);
        if (other === undefined) throw error;
        this.#stream = other[Symbol.asyncIterator]();
      }
    }
  }
}

/** A call that is made again each time its refusal has taught something: `open` then calls `noteLearned` before it fails. */
export function reopenLearned(open: (noteLearned: () => void) => Stream): ReopenedStream {
  let isLearned = false;
  const attempt = (): Stream => {
    isLearned = false;
    return open(() => {
      isLearned = true;
    });
  };
  return new ReopenedStream(attempt(), { again: () => (isLearned ? attempt() : undefined) });
}
