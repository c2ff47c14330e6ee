import type { Emit } from "../chat/chat-context.ts";
import { Departure } from "../ports/provider.ts";
import { type TurnStep, withErrorsAsData } from "../ports/turn-event.ts";
import type { TurnLog } from "../ports/turn-log.ts";

export interface TurnWatch {
  /** Called with steps after they were stored. */
  readonly observe: (steps: readonly TurnStep[]) => void;
  /** Whether the turn belongs to another process from now on: then this one writes nothing more of it. */
  readonly isLeft: () => boolean;
}

interface Gathered {
  readonly steps: TurnStep[];
  readonly written: Promise<void>;
}

/**
 * Writes the steps of a turn's voices into its log, one append at a time. Steps emitted meanwhile go together into the next one. The
 * first append takes the steps of all voices that start at the same moment. After a failed append, only the end is written.
 */
export class TurnWriter {
  readonly #log: Pick<TurnLog, "append">;
  readonly #watch: TurnWatch;
  /** True at first, so that the first steps wait for those of the other voices. */
  #isWriting = true;
  /** The current append, or the last one. */
  #writing: Promise<void> = Promise.resolve();
  /** The steps of `#writing`. */
  #steps: readonly TurnStep[] = [];
  #next: Gathered | undefined;
  #failure: { readonly fault: unknown } | undefined;

  constructor(log: Pick<TurnLog, "append">, watch: TurnWatch) {
    this.#log = log;
    this.#watch = watch;
  }

  readonly emit: Emit = (steps) => {
    if (!this.#isWriting && this.#next === undefined) return this.#write(steps);
    this.#next ??= { steps: [], written: this.#writing.then(this.#writeNext, this.#writeNext) };
    for (const step of steps) this.#next.steps.push(step);
    return this.#next.written;
  };

  /**
   * Makes the last append, after the current one. `steps` is called once the current steps were observed. Anything emitted from now on is
   * refused.
   */
  async end(steps: () => readonly TurnStep[]): Promise<void> {
    this.#failure ??= { fault: new Error("The turn has ended.") };
    // The emitter of those steps gets their failure.
    await this.#writing.catch(() => undefined);
    await this.#append(steps());
  }

  #write(steps: readonly TurnStep[]): Promise<void> {
    if (this.#watch.isLeft()) this.#failure ??= { fault: new Departure() };
    if (this.#failure !== undefined) return Promise.reject(this.#failure.fault);
    this.#isWriting = true;
    this.#steps = steps;
    this.#writing = this.#append(steps).then(this.#onKept, this.#onFault);
    return this.#writing;
  }

  /** Only data goes into a log. The cause of an error goes to the listener for the turn's end. */
  #append(steps: readonly TurnStep[]): Promise<void> {
    const [only] = steps;
    const isText = steps.length === 1 && only?.type === "text";
    return this.#log.append(isText ? steps : steps.map(withErrorsAsData));
  }

  readonly #onKept = (): void => {
    this.#isWriting = false;
    this.#watch.observe(this.#steps);
  };

  readonly #onFault = (fault: unknown): never => {
    this.#isWriting = false;
    this.#failure ??= { fault };
    throw fault;
  };

  readonly #writeNext = (): Promise<void> => {
    const steps = this.#next?.steps ?? [];
    this.#next = undefined;
    return this.#write(steps);
  };
}
