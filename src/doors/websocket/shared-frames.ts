import type { LoggedEvent } from "../../ports/turn-log.ts";
import { encodeEvent } from "./encode-event.ts";

/** Characters that are held at most, and only until the loop's next turn: many that catch up at the same moment share less. */
const mostChars = 1024 * 1024;

/** Frames of events that several connections are sent at the same moment, each made once. */
export class SharedFrames {
  readonly #frames = new Map<LoggedEvent, string>();
  #chars = 0;
  readonly #drop = (): void => {
    this.#frames.clear();
    this.#chars = 0;
  };

  /** The event's frame; an event is always asked for under the same request. */
  frameOf(requestId: string, event: LoggedEvent): string {
    const known = this.#frames.get(event);
    if (known !== undefined) return known;
    const frame = encodeEvent(requestId, event);
    if (this.#chars + frame.length > mostChars) return frame;
    if (this.#frames.size === 0) setImmediate(this.#drop);
    this.#frames.set(event, frame);
    this.#chars += frame.length;
    return frame;
  }
}
