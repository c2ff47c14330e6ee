import type { OutgoingMessage } from "../../ports/socket.ts";
import type { LogBatch, LoggedEvent } from "../../ports/turn-log.ts";
import type { ServerMessage } from "../../protocol/server-messages.ts";
import { encodeEvent, messageOf } from "./encode-event.ts";
import { LongMessage } from "./long-message.ts";

/** Characters of short frames that are held at most, and only until the loop's next turn. */
const mostChars = 1024 * 1024;
/** Characters from which on a frame is long: it is one piece of memory for all sockets, however late each of them sends it. */
const longChars = 64 * 1024;

type Trimmed = Extract<LogBatch, { type: "trimmed" }>;

/** Frames that several connections are sent, each made once. */
export class SharedFrames {
  readonly #short = new Map<LoggedEvent, string>();
  /** A long frame lives as long as a socket has it to send: nothing of it is held here. */
  readonly #long = new WeakMap<object, WeakRef<Uint8Array | LongMessage>>();
  #chars = 0;
  readonly #drop = (): void => {
    this.#short.clear();
    this.#chars = 0;
  };

  /** The event's frame; an event is always asked for under the same request. `isShared`: others are sent it at this moment. */
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

  /** What stands for events that the log no longer has. */
  resetOf(requestId: string, { throughSeq, lanes }: Trimmed): OutgoingMessage | LongMessage {
    // All readers of a log are given the same list.
    const known = this.#long.get(lanes)?.deref();
    if (known !== undefined) return known;
    const message: ServerMessage = {
      type: "reset",
      request_id: requestId,
      through_seq: throughSeq,
      lanes: lanes.map(({ lane, text }) => (lane === undefined ? { text } : { persona_id: lane, text })),
    };
    const frame = JSON.stringify(message);
    return frame.length < longChars ? frame : this.#keep(lanes, frame, () => message);
  }

  #shortFrame(requestId: string, logged: LoggedEvent): string {
    const known = this.#short.get(logged);
    if (known !== undefined) return known;
    const frame = encodeEvent(requestId, logged);
    if (this.#chars + frame.length > mostChars) return frame;
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
