import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { JournalEntry } from "../../ports/stored-turn.ts";
import { isCheckpoint, isEvent, isUrgent, type TurnEvent, type TurnStep } from "../../ports/turn-event.ts";
import type { LogReader, TurnLog, TurnRecord } from "../../ports/turn-log.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { MemoryTurnLog } from "../turn-log/memory-turn-log.ts";
import type { SqliteStore } from "./sqlite-store.ts";

/** A turn, its number, and `begun`, which settles when its row is committed. */
export interface Begun {
  readonly number: number;
  readonly record: TurnRecord;
  readonly begun: Promise<void>;
}

interface DurableLogOptions extends Begun {
  readonly store: SqliteStore;
  /** The log in memory, which readers follow. */
  readonly inner: MemoryTurnLog;
  /** Ends the turn in the database as soon as the storage works; settles with the outcome and never rejects. */
  readonly end: (events: readonly TurnEvent[]) => Promise<"kept" | "failed">;
  /** Called if nothing of the turn was kept: the client may send it again under the same id. */
  readonly forget: () => void;
}

/** A log that commits events to the journal before its readers see them. */
export class DurableLog implements TurnLog {
  readonly #options: DurableLogOptions;
  #row: "coming" | "there" | "failed" = "coming";

  constructor(options: DurableLogOptions) {
    this.#options = options;
    const { begun, store, number } = options;
    begun.then(
      () => {
        this.#row = "there";
      },
      (fault: unknown) => {
        this.#row = "failed";
        store.release(number);
        // The turn's first events wait for its row and report the fault, but a turn may end without any.
        store.report(fault);
      },
    );
  }

  get headSeq(): number {
    return this.#options.inner.headSeq;
  }

  get ended(): boolean {
    return this.#options.inner.ended;
  }

  get unkept(): TroupeError | undefined {
    return this.#options.inner.unkept;
  }

  get isFull(): boolean {
    return this.#options.inner.isFull;
  }

  open(after: number, wake: () => void): LogReader {
    return this.#options.inner.open(after, wake);
  }

  leave(): void {
    this.#options.inner.leave();
  }

  append(steps: readonly TurnStep[]): Promise<void> {
    if (this.ended) return this.#options.inner.append(steps);
    return this.#journal(steps).then(
      () => this.#tell(steps),
      (fault: unknown) => {
        if (!steps.some(({ type }) => type === "failure")) throw fault;
        this.#options.store.report(fault);
        this.#loseEnd(steps, fault);
      },
    );
  }

  #tell(steps: readonly TurnStep[]): Promise<void> | undefined {
    const { inner } = this.#options;
    inner.add(steps);
    return inner.ended ? this.#end(inner.events()) : undefined;
  }

  /** The end's frame and the turn's row are made in two turns of the loop, because each takes up to 30 ms for a long answer. */
  async #end(events: readonly TurnEvent[]): Promise<void> {
    await nextLoopTurn();
    void this.#options.end(events);
  }

  /**
   * Tells the readers that the end was not kept, because they would wait for ever. It has no number: after a crash or a repeat, another
   * end may have that number.
   */
  #loseEnd(steps: readonly TurnStep[], fault: unknown): void {
    const { inner, end, forget } = this.#options;
    inner.loseEnd(TroupeError.from(fault).asData());
    if (this.#row === "failed") {
      forget();
      return;
    }
    void end([...inner.events(), ...steps.filter(isEvent)]).then((outcome) => {
      if (outcome === "kept") inner.add(steps);
    });
  }

  #journal(steps: readonly TurnStep[]): Promise<unknown> {
    const { begun, store, number } = this.#options;
    if (this.#row === "failed") return begun;
    let urgent = false;
    let hasCheckpoints = false;
    for (const step of steps) {
      urgent ||= isUrgent(step);
      hasCheckpoints ||= step.type === "checkpoint";
    }
    // Leaving out an empty array of checkpoints saves room.
    const entry: JournalEntry = hasCheckpoints
      ? [number, this.headSeq + 1, steps.filter(isEvent), steps.filter(isCheckpoint)]
      : [number, this.headSeq + 1, steps as readonly TurnEvent[]];
    const written = store.journal(entry, urgent);
    // Commits come in order, so the turn's first events may be committed together with its row.
    return this.#row === "there" ? written : Promise.all([begun, written]);
  }
}
