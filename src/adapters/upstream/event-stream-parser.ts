import { isObject, type JsonObject } from "../../ports/json.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** One server-sent event. */
export interface StreamEvent {
  /** From its `event` line; empty if it has none. */
  readonly name: string;
  readonly data: string;
}

/**
 * Reads server-sent events (WHATWG HTML, section 9.2). `push` takes pieces of text that may be cut anywhere and returns the events that a
 * piece completes. Comments, `id` and `retry` lines are skipped. Two things differ from the standard because servers do them: an event
 * named `error` needs no data, and `end` returns an event that lacks its empty line.
 *
 * Throws `upstream_invalid` if one event exceeds `maxEventChars`.
 */
export class EventStreamParser {
  readonly #maxEventChars: number;
  /** The pieces of the line that is still open; joined only when it ends. */
  #openLine: string[] = [];
  #openChars = 0;
  #name = "";
  #dataLines: string[] = [];
  #dataChars = 0;
  #endedWithReturn = false;

  constructor({ maxEventChars }: { maxEventChars: number }) {
    this.#maxEventChars = maxEventChars;
  }

  /** True if the next piece starts a line and an event, because all pushed text is processed. */
  get isIdle(): boolean {
    return (
      this.#openChars === 0 && this.#dataLines.length === 0 && this.#name === "" && !this.#endedWithReturn
    );
  }

  push(piece: string): StreamEvent[] {
    const completed: StreamEvent[] = [];
    const text = this.#withPlainLineEnds(piece);
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#endLine(text.slice(start, end), completed);
      start = end + 1;
    }
    if (start < text.length) {
      this.#openLine.push(start === 0 ? text : text.slice(start));
      this.#openChars += text.length - start;
    }
    if (this.#openChars + this.#dataChars > this.#maxEventChars) {
      throw new TroupeError("upstream_invalid", { cause: new Error("An event of the stream is too large.") });
    }
    return completed;
  }

  /** Ends the stream. Returns the event whose empty line did not come, if there is one; it may be cut. */
  end(): StreamEvent[] {
    const completed: StreamEvent[] = [];
    this.#endLine("", completed);
    this.#endLine("", completed);
    return completed;
  }

  #endLine(rest: string, completed: StreamEvent[]): void {
    const line = this.#openLine.length === 0 ? rest : this.#openLine.join("") + rest;
    this.#openLine = [];
    this.#openChars = 0;
    if (line === "") {
      const name = this.#name;
      if (this.#dataLines.length > 0 || name === "error")
        completed.push({
          name,
          data: this.#dataLines.length === 1 ? (this.#dataLines[0] ?? "") : this.#dataLines.join("\n"),
        });
      this.#name = "";
      this.#dataLines = [];
      this.#dataChars = 0;
    } else if (line.startsWith("data:")) {
      const data = fieldValue(line, 5);
      this.#dataLines.push(data);
      // The joining line feed counts too: otherwise lines without data would pile up unnoticed.
      this.#dataChars += data.length + 1;
    } else if (line === "data") {
      this.#dataLines.push("");
      this.#dataChars += 1;
    } else if (line.startsWith("event:")) {
      this.#name = fieldValue(line, 6);
    }
  }

  /** Lines may also end in CR LF or CR, and the two characters may come in different pieces. */
  #withPlainLineEnds(piece: string): string {
    const text = this.#endedWithReturn && piece.startsWith("\n") ? piece.slice(1) : piece;
    if (piece !== "") this.#endedWithReturn = piece.endsWith("\r");
    return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  }
}

/** The value after the colon, without the one space that may follow it. */
function fieldValue(line: string, start: number): string {
  return line.slice(line.charCodeAt(start) === 0x20 ? start + 1 : start);
}

/** Parses the data of an event. Throws `upstream_invalid` if it is not a JSON object. */
export function parseEvent(data: string): JsonObject {
  const event = parseJson(data);
  if (isObject(event)) return event;
  const fault = event === undefined ? "not JSON" : "not an object";
  throw new TroupeError("upstream_invalid", { cause: new Error(`An event's data is ${fault}.`) });
}

/** `undefined` if the text is not JSON. The parser's own error is dropped because it quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error for a body that is neither an event stream nor a whole response. */
export function notAStream(): TroupeError {
  return new TroupeError("upstream_invalid", { cause: new Error("The answer is not an event stream.") });
}
