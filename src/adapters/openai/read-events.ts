import type { ProviderEvent } from "../../ports/provider.ts";
import { EventStreamParser } from "../upstream/event-stream-parser.ts";
import { DeltaScan } from "./delta-scan.ts";
import type { ResponsesMachine } from "./responses-machine.ts";

/** One event may hold a whole tool result or the full response; more than this is no answer. */
const mostEventChars = 16 * 1024 * 1024;

/**
 * One batch per read of the body, texts that follow one another joined. What came before an error in the same read is yielded before
 * the error is thrown, so that where the network cuts its packets never decides what is shown. `onProgress` hears of every
 * read that held an event.
 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  machine: ResponsesMachine,
  onProgress: () => void,
): AsyncGenerator<ProviderEvent[]> {
  const parser = new EventStreamParser({ mostEventChars });
  const scan = new DeltaScan();
  const decoder = new TextDecoder();
  let batch: ProviderEvent[] = [];
  let text = "";
  let sawEvent = false;

  function endText(): void {
    if (text !== "") batch.push({ type: "text", text });
    text = "";
  }

  /** All events that the bytes complete. */
  function accept(piece: string): void {
    for (let at = 0; at < piece.length; ) {
      const matched = parser.isIdle && machine.takesText ? scan.match(piece, at) : -1;
      if (matched >= 0) {
        machine.acceptText(scan.delta);
        text += scan.delta;
        sawEvent = true;
        at = matched;
      } else {
        at = parseOne(piece, at);
      }
    }
  }

  /** Parses up to the end of an event, and returns where that is. */
  function parseOne(piece: string, start: number): number {
    const wasIdle = parser.isIdle;
    const blank = piece.indexOf("\n\n", start);
    const end = blank < 0 ? piece.length : blank + 2;
    const event = piece.slice(start, end);
    for (const data of parser.push(event)) {
      sawEvent = true;
      for (const given of machine.accept(data)) {
        if (given.type === "text") {
          text += given.text;
          if (wasIdle) scan.learn(event, data);
        } else {
          endText();
          batch.push(given);
        }
      }
    }
    return end;
  }

  for await (const bytes of body) {
    batch = [];
    sawEvent = false;
    let failure: { readonly error: unknown } | undefined;
    try {
      accept(decoder.decode(bytes, { stream: true }));
    } catch (error) {
      failure = { error };
    }
    endText();
    if (sawEvent) onProgress();
    if (batch.length > 0) yield batch;
    if (failure !== undefined) throw failure.error;
  }
}
