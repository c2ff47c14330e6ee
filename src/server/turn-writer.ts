import type { Emit, ReplyEnd, TurnContext } from "../chat/chat-context.ts";
import { Departure } from "../ports/provider.ts";
import { asStored, laneOf, type TerminalEvent, type TurnEvent, type TurnStep } from "../ports/turn-event.ts";
import type { TurnLog } from "../ports/turn-log.ts";
import { TroupeError } from "../protocol/errors.ts";

interface TurnWatch {
  /** Each is told steps after they were stored. */
  readonly observers: readonly { observe(steps: readonly TurnStep[]): void }[];
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
  /** Steps that go before the next ones. */
  #held: readonly TurnStep[] = [];
  #failure: { readonly fault: unknown } | undefined;

  constructor(log: Pick<TurnLog, "append">, watch: TurnWatch) {
    this.#log = log;
    this.#watch = watch;
  }

  readonly emit: Emit = (given) => {
    const steps = this.#afterHeld(given);
    if (!this.#isWriting && this.#next === undefined) return this.#write(steps);
    this.#next ??= { steps: [], written: this.#writing.then(this.#writeNext, this.#writeNext) };
    for (const step of steps) this.#next.steps.push(step);
    return this.#next.written;
  };

  /** See `TurnContext.emitWithNext`. */
  readonly emitWithNext = (steps: readonly TurnStep[]): void => {
    const failure = this.#failureNow();
    if (failure !== undefined) throw failure.fault;
    this.#held = this.#afterHeld(steps);
  };

  /** Appends the held steps, because something else than planned follows them. Never rejects. */
  async flush(): Promise<void> {
    if (this.#held.length > 0) await this.emit([]).catch(() => undefined);
  }

  #afterHeld(steps: readonly TurnStep[]): readonly TurnStep[] {
    if (this.#held.length === 0) return steps;
    const all = [...this.#held, ...steps];
    this.#held = [];
    return all;
  }

  /**
   * Makes the last append, after the current one. `steps` is called once the current steps were observed. Anything emitted from now on is
   * refused.
   */
  async end(steps: () => readonly TurnStep[]): Promise<void> {
    this.#failure ??= { fault: new Error("The turn has ended.") };
    // The emitter of those steps gets their failure.
    await this.#writing.catch(() => undefined);
    const held = this.#afterHeld([]);
    await this.#append([...held, ...steps()]);
    this.#observe(held);
  }

  #write(steps: readonly TurnStep[]): Promise<void> {
    const failure = this.#failureNow();
    if (failure !== undefined) return Promise.reject(failure.fault);
    this.#isWriting = true;
    this.#steps = steps;
    this.#writing = this.#append(steps).then(this.#onKept, this.#onFault);
    return this.#writing;
  }

  /** Why nothing is appended any more. */
  #failureNow(): { readonly fault: unknown } | undefined {
    if (this.#watch.isLeft()) this.#failure ??= { fault: new Departure() };
    return this.#failure;
  }

  /** Only data goes into a log. The cause of an error goes to the listener for the turn's end. */
  #append(steps: readonly TurnStep[]): Promise<void> {
    const [only] = steps;
    const isText = steps.length === 1 && only?.type === "text";
    return this.#log.append(isText ? steps : steps.map(asStored));
  }

  readonly #onKept = (): void => {
    this.#isWriting = false;
    this.#observe(this.#steps);
  };

  #observe(steps: readonly TurnStep[]): void {
    if (steps.length > 0) for (const observer of this.#watch.observers) observer.observe(steps);
  }

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

/** The lanes of a turn that have started but not had their final text. */
interface OpenLanes {
  /** Sees the steps that are in the log. */
  observe(steps: readonly TurnStep[]): void;
  /** The events that end lanes that are cut off. */
  finalTexts(): TurnEvent[];
}

export function createOpenLanes(): OpenLanes {
  const open = new Set<string | undefined>();
  return {
    observe(steps) {
      for (const step of steps) {
        if (step.type === "status" && step.status === "starting") {
          if (step.showsText !== false) open.add(step.lane);
        } else if (step.type === "text" && step.final) open.delete(step.lane);
        // The lane starts again with another `starting`.
        else if (step.type === "reset") for (const { lane } of step.lanes) open.delete(lane);
        // This is the only end of a lane that was asked not to stream.
        else if (step.type === "lane-answer") open.delete(laneOf(step.answer));
      }
    },
    finalTexts: () =>
      [...open].map((lane) => ({
        type: "text",
        text: "",
        final: true,
        ...(lane === undefined ? {} : { lane }),
      })),
  };
}

interface ReplyWatch extends TurnWatch {
  /** The persona to blame for a failure, if there is only one. */
  readonly onlyLane?: string | undefined;
}

/**
 * Writes a reply into its log, followed in every case by exactly one terminal event. No other code writes that event.
 * Returns the event; `undefined` for a turn that was left, whose log stays as it is.
 */
export async function writeReply(
  log: Pick<TurnLog, "append">,
  reply: (emitters: Pick<TurnContext, "emit" | "emitWithNext">) => Promise<ReplyEnd>,
  { observers, isLeft, onlyLane }: ReplyWatch,
): Promise<TerminalEvent | undefined> {
  const lanes = createOpenLanes();
  const own: TurnWatch["observers"] = [lanes];
  const writer = new TurnWriter(log, { isLeft, observers: own.concat(observers) });
  try {
    const end = await reply(writer);
    await writer.end(() => [end]);
    return end;
  } catch (thrown) {
    if (isLeft()) return undefined;
    await writer.flush();
    const failure: TerminalEvent = {
      type: "failure",
      error: TroupeError.from(thrown),
      ...(onlyLane === undefined ? {} : { lane: onlyLane }),
    };
    // A reply ends its lanes itself, unless their last events could not be stored.
    await writer.end(() => [...lanes.finalTexts(), failure]);
    return failure;
  }
}
