import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { encodeStored } from "../../ports/stored-turn.ts";
import {
  isEvent,
  isTerminal,
  isUrgent,
  type TerminalEvent,
  type TurnEvent,
  type TurnStep,
} from "../../ports/turn-event.ts";
import type { TurnStop } from "../../ports/turn-log.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { laneTexts, type MemoryTurnLog, StoredLog } from "../turn-log/memory-turn-log.ts";
import type { StepsItem } from "./beat-item.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";
import type { ServedTime } from "./served-time.ts";

/** A row of events, as it is stored. */
export type StoredSteps = Pick<StepsItem, "firstSeq" | "steps">;

const statements = named({
  keepStop: `UPDATE turns SET cancels = coalesce(cancels, '[]') || to_jsonb(ARRAY[$3::text]) WHERE number = $1 AND node = $2`,
});

interface PostgresLogOptions {
  readonly store: PostgresStore;
  readonly owner: string;
  readonly served: ServedTime;
  readonly number: number;
  /** The log in memory, which readers follow. */
  readonly inner: MemoryTurnLog;
  /** Called when events are stored, with the number of the last one and their row. */
  readonly onHead: (head: number, row: StoredSteps) => void;
  /** Called when the turn is this node's no more: its end is committed, or it was let go. */
  readonly onOver: () => void;
  /** The `part` of the last row that has no event. Default 0. */
  readonly part?: number;
}

/** A log whose events are committed before its readers see them. The terminal event ends the turn in the same commit. */
export class PostgresLog extends StoredLog {
  readonly #options: PostgresLogOptions;
  /** Tells rows of checkpoints alone apart, which have the number of the event before them. */
  #part: number;

  constructor(options: PostgresLogOptions) {
    super(options.inner);
    this.#options = options;
    this.#part = options.part ?? 0;
  }

  get number(): number {
    return this.#options.number;
  }

  async append(steps: readonly TurnStep[]): Promise<void> {
    const { store } = this.#options;
    if (this.ended) throw new Error("This turn's log has its terminal event already.");
    const item = this.#itemOf(steps);
    if (item === undefined) return;
    try {
      await store.commit(item, steps.some(isUrgent));
    } catch (fault) {
      // Its successor may have written under these numbers already, so nothing may be told.
      if (store.lost.aborted) super.leave();
      if (store.lost.aborted || !steps.some(({ type }) => type === "failure")) throw fault;
      store.report(fault);
      this.#loseEnd(steps, item, fault);
      return;
    }
    this.#part = item.part;
    this.#add(steps, item);
  }

  #add(steps: readonly TurnStep[], item: StepsItem): void {
    this.inner.add(steps);
    if (item.events > 0) this.#options.onHead(this.headSeq, item);
    if (this.ended) this.#options.onOver();
  }

  /** Any node may take up the turn once that is committed. */
  override leave(): void {
    const { store, number, onOver } = this.#options;
    super.leave();
    if (this.ended || store.lost.aborted) return;
    store.commit({ kind: "leave", turn: number }, true).then(onOver, store.report);
  }

  async keepStop(stop: TurnStop): Promise<void> {
    if (this.ended) return;
    const { store, number, owner } = this.#options;
    await store.query(owner, statements.keepStop, [number, store.incarnation, stop]).catch(store.report);
  }

  async confirm(): Promise<void> {
    await this.#options.store.confirm();
    // The events of the commits before it come into the log first.
    await nextLoopTurn();
  }

  /**
   * The database has refused the end for good, and readers would wait for ever. They are told without a number, because nothing is stored
   * under it yet.
   */
  #loseEnd(steps: readonly TurnStep[], item: StepsItem, fault: unknown): void {
    const { store } = this.#options;
    this.inner.loseEnd(TroupeError.from(fault).asData());
    store.commitInTheEnd(item).then(() => this.#add(steps, item), store.report);
  }

  /** The row of these steps; `undefined` if there are none. */
  #itemOf(steps: readonly TurnStep[]): StepsItem | undefined {
    if (steps.length === 0) return undefined;
    const events = steps.filter(isEvent);
    const terminal = events.find(isTerminal);
    if (terminal !== undefined && terminal !== events.at(-1))
      throw new Error("Nothing may follow the terminal event.");
    return {
      kind: "steps",
      turn: this.#options.number,
      firstSeq: events.length === 0 ? this.headSeq : this.headSeq + 1,
      part: events.length === 0 ? this.#part + 1 : 0,
      steps: encodeStored(steps),
      events: events.length,
      ...(terminal === undefined ? {} : { end: this.#endOf(events, terminal) }),
    };
  }

  /** The end of the turn's row, with the part of the log that is kept after its time. */
  #endOf(events: readonly TurnEvent[], terminal: TerminalEvent): NonNullable<StepsItem["end"]> {
    const { served } = this.#options;
    const throughSeq = this.headSeq + events.length - 1;
    const lanes = laneTexts([...this.inner.events(), ...events]);
    return { endedMs: served.now(), answer: encodeStored({ throughSeq, lanes, terminal }) };
  }
}
