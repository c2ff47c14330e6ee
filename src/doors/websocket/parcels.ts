import type { LoggedEvent } from "../../ports/turn-log.ts";
import type { ServerMessage } from "../../protocol/server-messages.ts";
import { encodeEvent } from "./encode-event.ts";
import type { Parcel } from "./outbox.ts";

/** Events of one turn, each encoded when it is about to be sent. */
export class EventParcel implements Parcel {
  readonly onTaken: (fault?: unknown) => void;
  readonly #requestId: string;
  readonly #events: readonly LoggedEvent[];
  #place = 0;

  constructor(requestId: string, events: readonly LoggedEvent[], onTaken: (fault?: unknown) => void) {
    this.onTaken = onTaken;
    this.#requestId = requestId;
    this.#events = events;
  }

  next(): string | undefined {
    const event = this.#events[this.#place];
    this.#place += 1;
    return event === undefined ? undefined : encodeEvent(this.#requestId, event);
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
