import type { TurnEvent } from "../../../ports/turn-event.ts";
import type { LogBatch, LogReader, TurnLog } from "../../../ports/turn-log.ts";

/** Maximum events of a batch. */
const batchEvents = 256;

/** The part of the watch list that a reader uses. */
interface ReaderPlace {
  /** The reader wants the events after its position. */
  wait(reader: RowReader): void;
  /** The reader is closed. */
  leave(reader: RowReader): void;
}

/**
 * Reads the log of a turn that runs at another node, from its rows. Rows are read when the reader has taken the events before them, so that
 * nothing piles up for a reader that is slow.
 */
export class RowReader implements LogReader {
  readonly turn: number;
  /** The number of the last event that was read. */
  position: number;
  /** The position is the end of a row. At first, a client's position may be in the middle of one. */
  isAtRow = false;
  readonly #place: ReaderPlace;
  readonly #wake: () => void;
  #came: LogBatch[] = [];
  #life: "reading" | "over" | "failed" | "closed" = "reading";
  #fault: unknown;
  /** The log of the turn, once it has ended and its events are no longer stored. */
  #rest: LogReader | undefined;

  constructor(turn: number, after: number, wake: () => void, place: ReaderPlace) {
    this.turn = turn;
    this.position = after;
    this.#wake = wake;
    this.#place = place;
  }

  get isOver(): boolean {
    if (this.#came.length > 0) return false;
    return this.#rest?.isOver ?? this.#life === "over";
  }

  take(): LogBatch | undefined {
    if (this.#rest !== undefined) return this.#rest.take();
    const batch = this.#came.shift();
    if (batch !== undefined) return batch;
    if (this.#life === "failed") throw this.#fault;
    if (this.#life === "reading") this.#place.wait(this);
    return undefined;
  }

  close(): void {
    this.#rest?.close();
    this.#life = "closed";
    this.#came = [];
    this.#place.leave(this);
  }

  /** Takes the events after the position, which may be shared with other readers. `isLast`: they end with the terminal event. */
  deliver(events: readonly TurnEvent[], isLast: boolean, isShared: boolean): void {
    if (this.#life === "closed") return;
    for (let start = 0; start < events.length; start += batchEvents) {
      const logged = events
        .slice(start, start + batchEvents)
        .map((event, index) => ({ seq: this.position + start + index + 1, event }));
      this.#came.push({ type: "events", events: logged, ...(isShared ? { isShared } : {}) });
    }
    this.position += events.length;
    this.isAtRow = true;
    if (isLast) this.#life = "over";
    this.#wake();
  }

  /** The turn has ended, and its log has only its answer now. */
  goOnIn(log: TurnLog): void {
    if (this.#life === "closed") return;
    this.#rest = log.open(this.position, this.#wake);
    this.#wake();
  }

  /** Nothing more comes: the position is the turn's end, or the turn is no longer stored. */
  end(): void {
    if (this.#life === "closed") return;
    this.#life = "over";
    this.#wake();
  }

  fail(fault: unknown): void {
    if (this.#life === "closed") return;
    this.#life = "failed";
    this.#fault = fault;
    this.#wake();
  }
}
