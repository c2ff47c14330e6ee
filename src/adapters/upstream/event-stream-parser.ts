import { TroupeError } from "../../protocol/errors.ts";

/**
 * Reads server-sent events (WHATWG HTML, section 9.2): `push` takes pieces of text that may be cut anywhere and returns the `data`
 * of every event that a piece completes. Comments, `event`, `id` and `retry` lines are passed over: the API repeats the event's
 * name in its data. What is incomplete at the end of the stream was never an event.
 *
 * Throws `upstream_invalid` when one event grows beyond `mostEventChars`.
 */
export function createEventStreamParser({ mostEventChars }: { mostEventChars: number }) {
  /** The pieces of the line that is still open; joined only when it ends. */
  let openLine: string[] = [];
  let openChars = 0;
  let dataLines: string[] = [];
  let dataChars = 0;
  let endedWithReturn = false;

  function endLine(rest: string, completed: string[]): void {
    const line = openLine.length === 0 ? rest : openLine.join("") + rest;
    openLine = [];
    openChars = 0;
    if (line === "") {
      if (dataLines.length > 0)
        completed.push(dataLines.length === 1 ? (dataLines[0] ?? "") : dataLines.join("\n"));
      dataLines = [];
      dataChars = 0;
    } else if (line.startsWith("data:")) {
      const data = line.slice(line.charCodeAt(5) === 0x20 ? 6 : 5);
      dataLines.push(data);
      // The line feed that joins it counts too: lines without data would otherwise pile up unnoticed.
      dataChars += data.length + 1;
    } else if (line === "data") {
      dataLines.push("");
      dataChars += 1;
    }
  }

  function push(piece: string): string[] {
    const completed: string[] = [];
    const text = withPlainLineEnds(piece);
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      endLine(text.slice(start, end), completed);
      start = end + 1;
    }
    if (start < text.length) {
      openLine.push(start === 0 ? text : text.slice(start));
      openChars += text.length - start;
    }
    if (openChars + dataChars > mostEventChars) {
      throw new TroupeError("upstream_invalid", { cause: new Error("An event of the stream is too large.") });
    }
    return completed;
  }

  /** Lines may end in CR LF or CR as well, and the two may come in different pieces. */
  function withPlainLineEnds(piece: string): string {
    const text = endedWithReturn && piece.startsWith("\n") ? piece.slice(1) : piece;
    if (piece !== "") endedWithReturn = piece.endsWith("\r");
    return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  }

  return {
    push,
    /** Nothing of what was pushed is still open: the next piece begins a line, and an event. */
    get isIdle(): boolean {
      return openChars === 0 && dataLines.length === 0 && !endedWithReturn;
    },
  };
}
