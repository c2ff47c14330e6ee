import { jsonChars } from "../../ports/json.ts";
import {
  isTerminal,
  type LaneOfAnswer,
  laneOf,
  type PersonaAnswer,
  type TurnEvent,
  type TurnStep,
} from "../../ports/turn-event.ts";
import type { LaneText, LogBatch, LoggedEvent, LogReader, TurnLog } from "../../ports/turn-log.ts";
import type { TroupeError } from "../../protocol/errors.ts";

/** Maximum events of one batch, so that a reader far behind does not copy a whole log at once. */
const batchEvents = 256;
/** Rough size of an event without its text, bytes: the object, its place in the list and its number. */
const eventBytes = 120;

/** The lanes' texts in place of the events up to `throughSeq`, which are no longer kept. */
interface Trimmed {
  readonly throughSeq: number;
  readonly lanes: readonly LaneText[];
}

interface MemoryLogOptions {
  /** Called when the terminal event is appended. */
  readonly onEnd: () => void;
  /** Called with the change of the estimated size, bytes. */
  readonly onBytes: (change: number) => void;
  /** Whether a log of this size has no room to grow. Default: it always has room. */
  readonly isFull?: (bytes: number) => boolean;
  /** The part of the log that was trimmed before. */
  readonly from?: Trimmed;
}

/** A turn's events in an array; `trim` replaces all but the terminal event by the lanes' texts. */
export class MemoryTurnLog implements TurnLog {
  headSeq: number;
  ended = false;
  /** The log's size in memory, estimated. */
  bytes = 0;
  #events: LoggedEvent[] = [];
  #trimmed: Trimmed;
  #isLeft = false;
  #unkept: TroupeError | undefined;
  readonly #readers = new Set<MemoryLogReader>();
  readonly #onEnd: () => void;
  readonly #onBytes: (change: number) => void;
  readonly #isFull: (bytes: number) => boolean;

  constructor({
    onEnd,
    onBytes,
    isFull = () => false,
    from = { throughSeq: 0, lanes: [] },
  }: MemoryLogOptions) {
    this.#trimmed = from;
    this.headSeq = from.throughSeq;
    this.#onEnd = onEnd;
    this.#onBytes = onBytes;
    this.#isFull = isFull;
  }

  get isFull(): boolean {
    return this.#isFull(this.bytes);
  }

  get unkept(): TroupeError | undefined {
    return this.ended ? undefined : this.#unkept;
  }

  async append(steps: readonly TurnStep[]): Promise<void> {
    this.add(steps);
  }

  /** Appends synchronously. */
  add(steps: readonly TurnStep[]): void {
    if (this.ended) throw new Error("This turn's log has its terminal event already.");
    // Checked before anything is kept: after half an append, readers would wait for ever.
    if (steps.length > 1 && endsTooEarly(steps)) throw new Error("Nothing may follow the terminal event.");
    let size = this.bytes;
    for (const event of steps) {
      if (event.type === "checkpoint") continue;
      this.headSeq += 1;
      this.#events.push({ seq: this.headSeq, event });
      size += sizeOf(event);
      this.ended = isTerminal(event);
    }
    this.#resize(size);
    for (const reader of this.#readers) reader.goOn();
    if (this.ended) this.#onEnd();
  }

  open(after: number, wake: () => void): LogReader {
    const reader = new MemoryLogReader(this, after, wake);
    this.#readers.add(reader);
    return reader;
  }

  leave(): void {
    this.#isLeft = true;
    for (const reader of this.#readers) reader.goOn();
  }

  /** Tells every reader, now and later, that the end could not be kept, until `add` appends it. */
  loseEnd(error: TroupeError): void {
    this.#unkept = error;
    for (const reader of this.#readers) reader.goOn();
  }

  /** All events that are still kept. */
  events(): TurnEvent[] {
    return this.#events.map(({ event }) => event);
  }

  /** The next batch for a reader at a position. */
  batchAfter(position: number): LogBatch | undefined {
    const { throughSeq, lanes } = this.#trimmed;
    if (position < throughSeq) return { type: "trimmed", throughSeq, lanes };
    if (position >= this.headSeq) {
      const { unkept } = this;
      return unkept === undefined ? undefined : { type: "unkept", error: unkept };
    }
    const start = position - throughSeq;
    const events = this.#events.slice(start, start + batchEvents);
    return this.#readers.size > 1 ? { type: "events", events, isShared: true } : { type: "events", events };
  }

  /** Whether nothing more comes after a position. */
  isOverAt(position: number): boolean {
    return (this.ended || this.#isLeft) && position >= this.headSeq;
  }

  /** Called by a reader when it is closed. */
  forget(reader: MemoryLogReader): void {
    this.#readers.delete(reader);
  }

  /** Drops all events but the terminal one; only for an ended log. */
  trim(): void {
    const terminal = this.#events.at(-1);
    if (!this.ended || terminal === undefined || this.#trimmed.throughSeq === this.headSeq - 1) return;
    const lanes = laneTexts(this.events());
    this.#trimmed = { throughSeq: this.headSeq - 1, lanes };
    this.#events = [terminal];
    this.#resize(sizeOf(terminal.event) + lanes.reduce((sum, lane) => sum + 2 * lane.text.length, 0));
  }

  #resize(to: number): void {
    this.#onBytes(to - this.bytes);
    this.bytes = to;
  }
}

class MemoryLogReader implements LogReader {
  readonly #log: MemoryTurnLog;
  readonly #wake: () => void;
  #position: number;
  #isWaiting = false;
  #isTold = false;

  constructor(log: MemoryTurnLog, position: number, wake: () => void) {
    this.#log = log;
    this.#position = position;
    this.#wake = wake;
  }

  get isOver(): boolean {
    return this.#isTold || this.#log.isOverAt(this.#position);
  }

  take(): LogBatch | undefined {
    if (this.#isTold) return undefined;
    const batch = this.#log.batchAfter(this.#position);
    this.#isWaiting = batch === undefined;
    if (batch === undefined) return undefined;
    if (batch.type === "trimmed") this.#position = batch.throughSeq;
    else if (batch.type === "events") this.#position += batch.events.length;
    else this.#isTold = true;
    return batch;
  }

  /** Wakes the reader if it waits: there is more, or never will be. */
  goOn(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#wake();
  }

  close(): void {
    this.#log.forget(this);
  }
}

function endsTooEarly(steps: readonly TurnStep[]): boolean {
  let hasEnd = false;
  for (const step of steps) {
    if (step.type === "checkpoint") continue;
    if (hasEnd) return true;
    hasEnd = isTerminal(step);
  }
  return false;
}

function sizeOf(event: TurnEvent): number {
  if (event.type === "text" || event.type === "reasoning") return eventBytes + 2 * event.text.length;
  if (event.type === "status") return eventBytes;
  return eventBytes + 2 * jsonChars(event);
}

/** The fields of an event that tell of a lane's text. */
export type LaneTextEvent =
  | { readonly type: "text"; readonly lane?: string; readonly text: string }
  | { readonly type: "reset"; readonly lanes: readonly { readonly lane?: string }[] }
  | { readonly type: "lane-answer"; readonly answer: Pick<PersonaAnswer, "text"> & LaneOfAnswer }
  | { readonly type: Exclude<TurnEvent["type"], "text" | "reset" | "lane-answer"> };

/** The text that each lane has shown in these events; a lane that does not stream shows its text with its answer. */
export function laneTexts(events: readonly LaneTextEvent[]): LaneText[] {
  const texts = new Map<string | undefined, string>();
  for (const event of events) {
    if (event.type === "text") texts.set(event.lane, (texts.get(event.lane) ?? "") + event.text);
    else if (event.type === "reset") for (const { lane } of event.lanes) texts.set(lane, "");
    else if (event.type === "lane-answer") texts.set(laneOf(event.answer), event.answer.text);
  }
  return [...texts].map(([lane, text]) => (lane === undefined ? { text } : { lane, text }));
}

/** A log that is stored elsewhere before its readers see it, and that they follow in memory. */
export abstract class StoredLog implements TurnLog {
  protected readonly inner: MemoryTurnLog;

  constructor(inner: MemoryTurnLog) {
    this.inner = inner;
  }

  get headSeq(): number {
    return this.inner.headSeq;
  }

  get ended(): boolean {
    return this.inner.ended;
  }

  get unkept(): TroupeError | undefined {
    return this.inner.unkept;
  }

  get isFull(): boolean {
    return this.inner.isFull;
  }

  open(after: number, wake: () => void): LogReader {
    return this.inner.open(after, wake);
  }

  leave(): void {
    this.inner.leave();
  }

  abstract append(steps: readonly TurnStep[]): Promise<void>;
}
