import { isCheckpoint, isEvent, type TurnEvent, type TurnStep } from "../../ports/turn-event.ts";
import type { LogBatch, LogPosition, TurnLog, TurnRecord } from "../../ports/turn-log.ts";
import type { JournalEntry, SqliteStore } from "./sqlite-store.ts";

/** A turn's number, and the writing of its row. */
export interface Begun {
  readonly number: number;
  readonly record: TurnRecord;
  readonly begun: Promise<void>;
}

export interface DurableLogOptions extends Begun {
  readonly store: SqliteStore;
  /** Where it is followed. */
  readonly inner: TurnLog;
  /** What is in the journal already. */
  readonly kept: TurnEvent[];
  /** Ends the turn in the database. */
  readonly end: (events: readonly TurnEvent[]) => void;
  /** Nothing of it was kept: the client may send it again under the same id. */
  readonly forget: () => void;
  /** Hears of writes that nobody waits for and that failed. */
  readonly onFault: (fault: unknown) => void;
}

/** A log whose events are in the journal before they are in the one that is followed. */
export class DurableLog implements TurnLog {
  readonly #options: DurableLogOptions;
  #row: "coming" | "there" | "failed" = "coming";

  constructor(options: DurableLogOptions) {
    this.#options = options;
    const { begun, store, number, onFault } = options;
    begun.then(
      () => {
        this.#row = "there";
      },
      (fault: unknown) => {
        this.#row = "failed";
        store.release(number);
        // The turn's first events wait for it, but a turn may end without any.
        onFault(fault);
      },
    );
  }

  get headSeq(): number {
    return this.#options.inner.headSeq;
  }

  get ended(): boolean {
    return this.#options.inner.ended;
  }

  follow(from: LogPosition): AsyncIterable<LogBatch> {
    return this.#options.inner.follow(from);
  }

  leave(): void {
    this.#options.inner.leave();
  }

  async append(steps: readonly TurnStep[]): Promise<void> {
    const { inner, kept, end, forget, onFault } = this.#options;
    if (inner.ended) return inner.append(steps);
    const events = steps.filter(isEvent);
    try {
      await this.#journal(events, steps);
    } catch (fault) {
      // A failure that cannot be kept is told all the same: those who follow would wait for ever.
      if (!events.some(({ type }) => type === "failure")) throw fault;
      onFault(fault);
    }
    await inner.append(steps);
    kept.push(...events);
    if (!inner.ended) return;
    if (this.#row === "failed") forget();
    else end(kept);
  }

  #journal(events: readonly TurnEvent[], steps: readonly TurnStep[]): Promise<unknown> {
    const { begun, store, number, inner } = this.#options;
    if (this.#row === "failed") return begun;
    const written = store.journal(entryOf(number, inner.headSeq + 1, events, steps), steps.some(isUrgent));
    // Commits come in order, so that the turn's first events may go with its row.
    return this.#row === "there" ? written : Promise.all([begun, written]);
  }
}

/** Checkpoints take room only where there are any. */
function entryOf(
  number: number,
  firstSeq: number,
  events: readonly TurnEvent[],
  steps: readonly TurnStep[],
): JournalEntry {
  const checkpoints = steps.filter(isCheckpoint);
  return checkpoints.length === 0 ? [number, firstSeq, events] : [number, firstSeq, events, checkpoints];
}

/** A lane's first text comes with its status; what is only text, and not the last of it, can wait for the beat. */
export function isUrgent(step: TurnStep): boolean {
  if (step.type === "text") return step.final;
  return step.type !== "reasoning" && step.type !== "checkpoint";
}
