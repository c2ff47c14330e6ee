import type { OutgoingMessage } from "../../ports/socket.ts";
import type { LogBatch } from "../../ports/turn-log.ts";
import type { ServerMessage } from "../../protocol/server-messages.ts";
import { encodeUnkept } from "./encode-event.ts";
import { LongMessage } from "./long-message.ts";
import type { Parcel } from "./outbox.ts";
import type { SharedFrames } from "./shared-frames.ts";

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
