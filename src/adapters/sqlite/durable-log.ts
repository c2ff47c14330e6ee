import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { JournalEntry } from "../../ports/stored-turn.ts";
import { isCheckpoint, isEvent, isUrgent, type TurnEvent, type TurnStep } from "../../ports/turn-event.ts";
import type { TurnRecord, TurnStop } from "../../ports/turn-log.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { MemoryTurnLog } from "../turn-log/memory-turn-log.ts";
import { StoredLog } from "../turn-log/stored-log.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";

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
export class DurableLog extends StoredLog {
  readonly #options: DurableLogOptions;
  #row: "coming" | "there" | "failed" = "coming";

  constructor(options: DurableLogOptions) {
    super(options.inner);
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

  append(steps: readonly TurnStep[]): Promise<void> {
    if (this.ended) return this.inner.append(steps);
    return this.#journal(steps).then(
      () => this.#tell(steps),
      (fault: unknown) => {
        if (!steps.some(({ type }) => type === "failure")) throw fault;
        this.#options.store.report(fault);
        this.#loseEnd(steps, fault);
      },
    );
  }

  /** It follows the turn's row, because commits come in order. */
  async keepStop(stop: TurnStop): Promise<void> {
    if (this.ended) return;
    const { store, record, number } = this.#options;
    const write: Write = stop === null ? ["stopTurn", number] : ["stopPersona", number, stop];
    await store.of(record.owner).write([write], true).catch(store.report);
  }

  #tell(steps: readonly TurnStep[]): Promise<void> | undefined {
    this.inner.add(steps);
    return this.ended ? this.#end(this.inner.events()) : undefined;
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
    const { end, forget } = this.#options;
    this.inner.loseEnd(TroupeError.from(fault).asData());
    if (this.#row === "failed") {
      forget();
      return;
    }
    void end([...this.inner.events(), ...steps.filter(isEvent)]).then((outcome) => {
      if (outcome === "kept") this.inner.add(steps);
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
