import { type OutgoingMessage, type Socket, SocketEndedError } from "../../ports/socket.ts";
import type { LogBatch, LoggedEvent } from "../../ports/turn-log.ts";
import type { ServerMessage } from "../../protocol/server-messages.ts";
import { encodeEvent, encodeUnkept, messageOf, told } from "./encode-event.ts";
import { LongMessage } from "./long-message.ts";

/** Messages of one sender. */
interface Parcel {
  /** The next message, made when it is about to be sent; `undefined` after the last. If it throws, the parcel ends. */
  next(): OutgoingMessage | undefined;
  /**
   * Called once, after `put` has returned, when the operating system has taken the last message. If the connection has ended, `fault` is
   * a `SocketEndedError`; if making a message threw, it is that error.
   */
  onTaken(fault?: unknown): void;
}

/** Characters of one write, at most three bytes each. The message that reaches the limit is still included, even a long one. */
const maxCharsAtOnce = 16 * 1024;
/** Characters of one sender before the next gets its turn: one that catches up does not delay the others. */
const maxCharsOfOne = 4 * 1024;

/**
 * The queue of everything that one connection sends. Only one write runs at a time, and only the messages of that write are encoded. The
 * rest stays in the logs that it comes from.
 */
export class Outbox {
  readonly #socket: Socket;
  #life: "idle" | "due" | "writing" = "idle";
  #waiting: Parcel[] | undefined;
  /** The last write was full, so there are more messages than the connection was just given. */
  #isFull = false;
  /** The parcels whose last message is in the running write. */
  #leaving: Parcel[] | undefined;
  #onWritten: ((cause?: Error | null) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  put(parcel: Parcel): void {
    this.#waiting ??= [];
    this.#waiting.push(parcel);
    if (this.#life === "idle") this.#writeSoon();
  }

  /** Waits a tick, so that other followers woken by the same commit join the same write. */
  #writeSoon(): void {
    this.#life = "due";
    process.nextTick(Outbox.#writeWhatIsDue, this);
  }

  /** Waits a turn of the loop: otherwise a fast reader that catches up would block it until it has everything. */
  #writeInNextTurn(): void {
    this.#life = "due";
    setImmediate(Outbox.#writeWhatIsDue, this);
  }

  /** Shared by all connections. */
  static readonly #writeWhatIsDue = (outbox: Outbox): void => outbox.#write();

  #write(): void {
    const messages: OutgoingMessage[] = [];
    const leaving = this.#fill(messages);
    this.#leaving = leaving;
    this.#life = "writing";
    this.#onWritten ??= (cause) => this.#finish(cause);
    if (messages.length === 0 || this.#socket.send(messages, this.#onWritten)) this.#finish(undefined);
  }

  /** Takes messages from all waiting parcels in turn, until the write is full. Returns the parcels that are empty now. */
  #fill(messages: OutgoingMessage[]): Parcel[] {
    const waiting = this.#waiting ?? [];
    const empty: Parcel[] = [];
    let room = maxCharsAtOnce;
    while (room > 0) {
      const parcel = waiting.shift();
      if (parcel === undefined) break;
      let share = maxCharsOfOne;
      try {
        let message: OutgoingMessage | undefined;
        while (share > 0) {
          message = parcel.next();
          if (message === undefined) break;
          messages.push(message);
          share -= message.length;
        }
        (message === undefined ? empty : waiting).push(parcel);
      } catch (fault) {
        parcel.onTaken(fault);
      }
      room -= maxCharsOfOne - share;
    }
    this.#isFull = room <= 0;
    return empty;
  }

  #finish(cause: Error | null | undefined): void {
    const done = this.#leaving ?? [];
    this.#leaving = undefined;
    if (cause != null) {
      const ended = new SocketEndedError("The connection has ended.", { cause });
      for (const parcel of done.concat(this.#waiting?.splice(0) ?? [])) parcel.onTaken(ended);
    } else for (const parcel of done) parcel.onTaken();
    if (this.#waiting === undefined || this.#waiting.length === 0) this.#life = "idle";
    else if (this.#isFull) this.#writeInNextTurn();
    else this.#writeSoon();
  }
}

/** One batch of a turn's log. Each message is encoded when it is about to be sent. */
export class BatchParcel implements Parcel {
  readonly onTaken: (fault?: unknown) => void;
  readonly #requestId: string;
  readonly #batch: LogBatch;
  readonly #frames: SharedFrames;
  #place = 0;
  #long: Iterator<string> | undefined;

  constructor(requestId: string, batch: LogBatch, onTaken: (fault?: unknown) => void, frames: SharedFrames) {
    this.onTaken = onTaken;
    this.#requestId = requestId;
    this.#batch = batch;
    this.#frames = frames;
  }

  next(): OutgoingMessage | undefined {
    const piece = this.#long?.next();
    if (piece?.done === false) return piece.value;
    this.#long = undefined;
    const message = this.#nextMessage();
    if (!(message instanceof LongMessage)) return message;
    this.#long = message.messages();
    return this.next();
  }

  #nextMessage(): OutgoingMessage | LongMessage | undefined {
    const batch = this.#batch;
    const place = this.#place;
    this.#place += 1;
    if (batch.type === "trimmed")
      return place === 0 ? this.#frames.resetOf(this.#requestId, batch) : undefined;
    if (batch.type === "unkept") return place === 0 ? encodeUnkept(this.#requestId, batch.error) : undefined;
    const event = batch.events[place];
    if (event === undefined) return undefined;
    return this.#frames.frameOf(this.#requestId, event, batch.isShared === true);
  }
}

/** Messages that are not events of a turn. */
export class MessageParcel implements Parcel {
  readonly onTaken: (fault?: unknown) => void;
  readonly #messages: readonly ServerMessage[];
  #place = 0;
  #long: Iterator<string> | undefined;

  constructor(messages: readonly ServerMessage[], onTaken: (fault?: unknown) => void) {
    this.onTaken = onTaken;
    this.#messages = messages;
  }

  next(): string | undefined {
    const piece = this.#long?.next();
    if (piece?.done === false) return piece.value;
    this.#long = undefined;
    const message = this.#messages[this.#place];
    this.#place += 1;
    if (message === undefined) return undefined;
    const encoded = LongMessage.from(JSON.stringify(message), () => message);
    if (typeof encoded === "string") return encoded;
    this.#long = encoded.messages();
    return this.next();
  }
}

/** Max characters of short frames that are held, and only until the loop's next turn. */
const maxSharedChars = 1024 * 1024;
/** From this many characters a frame is long: it is one piece of memory for all sockets, no matter when each of them sends it. */
const longChars = 64 * 1024;

type Trimmed = Extract<LogBatch, { type: "trimmed" }>;

/** Frames that several connections send, each made once. */
export class SharedFrames {
  readonly #short = new Map<LoggedEvent, string>();
  /** A long frame lives while a socket still has to send it; this map does not keep it alive. */
  readonly #long = new WeakMap<object, WeakRef<Uint8Array | LongMessage>>();
  #chars = 0;
  readonly #drop = (): void => {
    this.#short.clear();
    this.#chars = 0;
  };

  /** The event's frame. An event always comes with the same request. `isShared`: other connections send it at this moment too. */
  frameOf(requestId: string, logged: LoggedEvent, isShared: boolean): OutgoingMessage | LongMessage {
    const known = this.#long.get(logged)?.deref();
    if (known !== undefined) return known;
    const frame = isShared ? this.#shortFrame(requestId, logged) : encodeEvent(requestId, logged);
    if (frame.length < longChars) return frame;
    const { seq, event } = logged;
    return this.#keep(
      logged,
      frame,
      event.type === "text" ? undefined : () => messageOf(requestId, seq, event),
    );
  }

  /** The message that replaces events that the log no longer has. */
  resetOf(requestId: string, { throughSeq, lanes }: Trimmed): OutgoingMessage | LongMessage {
    // All readers of a log get the same list.
    const known = this.#long.get(lanes)?.deref();
    if (known !== undefined) return known;
    const message: ServerMessage = {
      type: "reset",
      request_id: requestId,
      through_seq: throughSeq,
      lanes: lanes.map(({ lane: key, text }) => ({ ...told(key), text })),
    };
    const frame = JSON.stringify(message);
    return frame.length < longChars ? frame : this.#keep(lanes, frame, () => message);
  }

  #shortFrame(requestId: string, logged: LoggedEvent): string {
    const known = this.#short.get(logged);
    if (known !== undefined) return known;
    const frame = encodeEvent(requestId, logged);
    if (this.#chars + frame.length > maxSharedChars) return frame;
    if (this.#short.size === 0) setImmediate(this.#drop);
    this.#short.set(logged, frame);
    this.#chars += frame.length;
    return frame;
  }

  #keep(of: object, text: string, read?: () => object): Uint8Array | LongMessage {
    const message = LongMessage.from(text, read);
    const frame = typeof message === "string" ? Buffer.from(message) : message;
    this.#long.set(of, new WeakRef(frame));
    return frame;
  }
}
