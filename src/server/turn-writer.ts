import type { Emit } from "../chat/chat-context.ts";
import { Departure } from "../ports/provider.ts";
import { type TurnStep, withErrorsAsData } from "../ports/turn-event.ts";
import type { TurnLog } from "../ports/turn-log.ts";

export interface TurnWatch {
  /** Sees what was kept, after it was kept. */
  readonly observe: (steps: readonly TurnStep[]) => void;
  /** Whether the turn is another process's from now on: then nothing more of it is written here. */
  readonly isLeft: () => boolean;
}

interface Gathered {
  readonly steps: TurnStep[];
  readonly written: Promise<void>;
}

/**
 * Writes what the voices of a turn say into its log, one append at a time: what others say meanwhile is the next one, all of it
 * together. After an append that failed there is only the end.
 */
export class TurnWriter {
  readonly #log: Pick<TurnLog, "append">;
  readonly #watch: TurnWatch;
  #isWriting = false;
  /** The append that is under way, or the last one. */
  #writing: Promise<void> = Promise.resolve();
  /** What it appends. */
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
   * The last append, behind the one that is under way, whose steps were observed when `steps` is called; what anybody says from now on is
   * refused.
   */
  async end(steps: () => readonly TurnStep[]): Promise<void> {
    this.#failure ??= { fault: new Error("The turn has ended.") };
    // Who said it hears of its failure.
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

  /** Only data goes into a log: the cause of an error is for whoever hears how the turn ended. */
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
