import type { ProviderEvent } from "../../ports/provider.ts";
import { EventStreamParser } from "../upstream/event-stream-parser.ts";
import { DeltaScan } from "./delta-scan.ts";
import type { ResponsesMachine } from "./responses-machine.ts";

/** One event may hold a whole tool result or the full response; more than this is no answer. */
const mostEventChars = 16 * 1024 * 1024;

/** What one piece of the body held. */
export interface ReadEvents {
  /** Texts that follow one another are one. */
  readonly events: ProviderEvent[];
  /** Whether it completed an event, be it one that says nothing. */
  readonly isProgress: boolean;
  /** Why nothing more of the body can be read. */
  readonly failure?: { readonly error: unknown };
}

/**
 * Reads the bytes of an answer, in pieces that may be cut anywhere. What came before an error in the same piece is given beside the
 * error, so that where the network cuts its packets never decides what is shown.
 */
export class EventReader {
  readonly #machine: ResponsesMachine;
  readonly #parser = new EventStreamParser({ mostEventChars });
  readonly #scan = new DeltaScan();
  readonly #decoder = new TextDecoder();
  #events: ProviderEvent[] = [];
  #text = "";
  #isProgress = false;

  constructor(machine: ResponsesMachine) {
    this.#machine = machine;
  }

  read(bytes: Uint8Array): ReadEvents {
    this.#events = [];
    this.#isProgress = false;
    let failure: { readonly error: unknown } | undefined;
    try {
      this.#accept(this.#decoder.decode(bytes, { stream: true }));
    } catch (error) {
      failure = { error };
    }
    this.#endText();
    const read = { events: this.#events, isProgress: this.#isProgress };
    return failure === undefined ? read : { ...read, failure };
  }

  /** All events that the piece completes. */
  #accept(piece: string): void {
    for (let at = 0; at < piece.length; ) {
      const matched = this.#parser.isIdle && this.#machine.takesText ? this.#scan.match(piece, at) : -1;
      if (matched >= 0) {
        this.#machine.acceptText(this.#scan.delta);
        this.#text += this.#scan.delta;
        this.#isProgress = true;
        at = matched;
      } else {
        at = this.#parseOne(piece, at);
      }
    }
  }

  /** Parses up to the end of an event, and returns where that is. */
  #parseOne(piece: string, start: number): number {
    const wasIdle = this.#parser.isIdle;
    const blank = piece.indexOf("\n\n", start);
    const end = blank < 0 ? piece.length : blank + 2;
    const event = piece.slice(start, end);
    for (const data of this.#parser.push(event)) {
      this.#isProgress = true;
      for (const given of this.#machine.accept(data)) {
        if (given.type === "text") {
          this.#text += given.text;
          if (wasIdle) this.#scan.learn(event, data);
        } else {
          this.#endText();
          this.#events.push(given);
        }
      }
    }
    return end;
  }

  #endText(): void {
    if (this.#text === "") return;
    const text: ProviderEvent = { type: "text", text: this.#text };
    // Nearly every piece holds one text and nothing else.
    if (this.#events.length === 0) this.#events = [text];
    else this.#events.push(text);
    this.#text = "";
  }
}
