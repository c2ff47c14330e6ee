import type { OutgoingMessage } from "../../ports/socket.ts";
import type { LogBatch, LoggedEvent } from "../../ports/turn-log.ts";
import type { ServerMessage } from "../../protocol/server-messages.ts";
import { encodeEvent, messageOf, told } from "./encode-event.ts";
import { LongMessage } from "./long-message.ts";

/** Max characters of short frames that are held, and only until the loop's next turn. */
const maxChars = 1024 * 1024;
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
    if (this.#chars + frame.length > maxChars) return frame;
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
