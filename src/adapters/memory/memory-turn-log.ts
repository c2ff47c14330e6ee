import { isEvent, isTerminal, type TurnEvent, type TurnStep } from "../../ports/turn-event.ts";
import type { LaneText, LogBatch, LoggedEvent, LogPosition, TurnLog } from "../../ports/turn-log.ts";
import { laneTexts } from "./lane-texts.ts";

/** Most events of one batch, so that a follower far behind does not copy a whole log at once. */
const batchEvents = 256;
/** Rough size of an event beside its text: the object, its place in the list and its number. */
const eventBytes = 120;

/** What stands for the beginning of a log that is no longer kept. */
interface Trimmed {
  readonly throughSeq: number;
  readonly lanes: readonly LaneText[];
}

export interface MemoryLogOptions {
  /** Hears that the terminal event was appended. */
  readonly onEnd: () => void;
  /** Hears by how much the estimated size changed. */
  readonly onBytes: (change: number) => void;
  /** A beginning that was trimmed before. */
  readonly from?: Trimmed;
}

/** A turn's events in an array; `trim` replaces all but the terminal by the lanes' text. */
export class MemoryTurnLog implements TurnLog {
  headSeq: number;
  ended = false;
  /** What the log holds in memory, estimated. */
  bytes = 0;
  #events: LoggedEvent[] = [];
  #trimmed: Trimmed;
  #isLeft = false;
  readonly #waiting = new Set<() => void>();
  readonly #onEnd: () => void;
  readonly #onBytes: (change: number) => void;

  constructor({ onEnd, onBytes, from = { throughSeq: 0, lanes: [] } }: MemoryLogOptions) {
    this.#trimmed = from;
    this.headSeq = from.throughSeq;
    this.#onEnd = onEnd;
    this.#onBytes = onBytes;
  }

  async append(steps: readonly TurnStep[]): Promise<void> {
    const added = steps.filter(isEvent);
    if (this.ended) throw new Error("This turn's log has its terminal event already.");
    // Before anything is kept: followers would wait for ever behind half an append.
    if (added.slice(0, -1).some(isTerminal)) throw new Error("Nothing may follow the terminal event.");
    let size = this.bytes;
    for (const event of added) {
      this.headSeq += 1;
      this.#events.push({ seq: this.headSeq, event });
      size += sizeOf(event);
      this.ended = isTerminal(event);
    }
    this.#resize(size);
    this.#wakeAll();
    if (this.ended) this.#onEnd();
  }

  async *follow({ after, signal }: LogPosition): AsyncGenerator<LogBatch> {
    let position = after;
    while (!signal.aborted) {
      const { throughSeq, lanes } = this.#trimmed;
      if (position < throughSeq) {
        position = throughSeq;
        yield { type: "trimmed", throughSeq, lanes };
      } else if (position < this.headSeq) {
        const start = position - throughSeq;
        const batch = this.#events.slice(start, start + batchEvents);
        position += batch.length;
        yield { type: "events", events: batch };
      } else if (this.ended || this.#isLeft) {
        return;
      } else {
        await this.#untilAppended(signal);
      }
    }
  }

  leave(): void {
    this.#isLeft = true;
    this.#wakeAll();
  }

  /** Gives up all events but the terminal one; only for an ended log. */
  trim(): void {
    const terminal = this.#events.at(-1);
    if (!this.ended || terminal === undefined || this.#trimmed.throughSeq === this.headSeq - 1) return;
    const lanes = laneTexts(this.#events.map(({ event }) => event));
    this.#trimmed = { throughSeq: this.headSeq - 1, lanes };
    this.#events = [terminal];
    this.#resize(sizeOf(terminal.event) + lanes.reduce((sum, lane) => sum + 2 * lane.text.length, 0));
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #resize(to: number): void {
    this.#onBytes(to - this.bytes);
    this.bytes = to;
  }

  #untilAppended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        this.#waiting.delete(settle);
        signal.removeEventListener("abort", settle);
        resolve();
      };
      this.#waiting.add(settle);
      signal.addEventListener("abort", settle, { once: true });
    });
  }
}

function sizeOf(event: TurnEvent): number {
  if (event.type === "text" || event.type === "reasoning") return eventBytes + 2 * event.text.length;
  if (event.type === "status") return eventBytes;
  return eventBytes + 2 * JSON.stringify(event).length;
}
