import type { LoggedEvent } from "../../ports/turn-log.ts";
import type { ServerMessage } from "../../protocol/server-messages.ts";
import { encodeEvent } from "./encode-event.ts";
import type { Parcel } from "./outbox.ts";
import type { SharedFrames } from "./shared-frames.ts";

/** Events of one turn, each encoded when it is about to be sent. */
export class EventParcel implements Parcel {
  readonly onTaken: (fault?: unknown) => void;
  readonly #requestId: string;
  readonly #events: readonly LoggedEvent[];
  readonly #frames: SharedFrames | undefined;
  #place = 0;

  /** `frames`: where others are sent the same events. */
  constructor(
    requestId: string,
    events: readonly LoggedEvent[],
    onTaken: (fault?: unknown) => void,
    frames: SharedFrames | undefined,
  ) {
    this.onTaken = onTaken;
    this.#requestId = requestId;
    this.#events = events;
    this.#frames = frames;
  }

  next(): string | undefined {
    const event = this.#events[this.#place];
    this.#place += 1;
    if (event === undefined) return undefined;
    if (this.#frames === undefined) return encodeEvent(this.#requestId, event);
    return this.#frames.frameOf(this.#requestId, event);
  }
}

/** Messages that are no events of a turn. */
export class MessageParcel implements Parcel {
  readonly onTaken: (fault?: unknown) => void;
  readonly #messages: readonly ServerMessage[];
  #place = 0;

  constructor(messages: readonly ServerMessage[], onTaken: (fault?: unknown) => void) {
    this.onTaken = onTaken;
    this.#messages = messages;
  }

  next(): string | undefined {
    const message = this.#messages[this.#place];
    this.#place += 1;
    return message === undefined ? undefined : JSON.stringify(message);
  }
}
