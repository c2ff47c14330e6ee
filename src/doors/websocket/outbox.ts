import { type OutgoingMessage, type Socket, SocketEndedError } from "../../ports/socket.ts";

/** Messages of one sender. */
export interface Parcel {
  /** The next message, made when it is about to be sent; `undefined` behind the last. What it throws ends the parcel. */
  next(): OutgoingMessage | undefined;
  /**
   * Called once, after `put` has returned: when the operating system has taken the last message, or with a `SocketEndedError` when the
   * connection has ended, or with what making a message threw.
   */
  onTaken(fault?: unknown): void;
}

/** Characters of one write, at most three bytes each. The message that reaches the limit still goes with it, however long it is. */
const mostCharsAtOnce = 16 * 1024;
/** After so many characters the next sender has its turn: one that catches up does not keep the others waiting. */
const mostCharsOfOne = 4 * 1024;

/**
 * What one connection is given to send, whoever gave it. Only one write is under way at a time, so that of all that waits no more
 * is encoded than one write holds: the rest stays in the logs that it comes from.
 */
export class Outbox {
  readonly #socket: Socket;
  #life: "idle" | "due" | "writing" = "idle";
  #waiting: Parcel[] | undefined;
  /** The last write took all that one may hold: there is more than the connection was just given. */
  #isFull = false;
  /** Those whose last message is in the write that is under way. */
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

  /** Whoever else was woken by the same commit is in time for the same write. */
  #writeSoon(): void {
    this.#life = "due";
    process.nextTick(Outbox.#writeWhatIsDue, this);
  }

  /** A connection that catches up and reads fast would otherwise keep the loop until it has everything. */
  #writeInNextTurn(): void {
    this.#life = "due";
    setImmediate(Outbox.#writeWhatIsDue, this);
  }

  /** One for all connections. */
  static readonly #writeWhatIsDue = (outbox: Outbox): void => outbox.#write();

  #write(): void {
    const messages: OutgoingMessage[] = [];
    const leaving = this.#fill(messages);
    this.#leaving = leaving;
    this.#life = "writing";
    this.#onWritten ??= (cause) => this.#finish(cause);
    if (messages.length === 0 || this.#socket.send(messages, this.#onWritten)) this.#finish(undefined);
  }

  /** Takes from all that wait in turn, until a write is full; returns those of which nothing is left. */
  #fill(messages: OutgoingMessage[]): Parcel[] {
    const waiting = this.#waiting ?? [];
    const empty: Parcel[] = [];
    let room = mostCharsAtOnce;
    while (room > 0) {
      const parcel = waiting.shift();
      if (parcel === undefined) break;
      let share = mostCharsOfOne;
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
      room -= mostCharsOfOne - share;
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
