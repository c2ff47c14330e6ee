import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("../fixtures/recorded-responses/", import.meta.url);

/** One event as its vendor sent it. */
export interface RecordedEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface RecordedStream {
  /** Its file, and its place in it if the file has several. */
  readonly name: string;
  readonly events: readonly RecordedEvent[];
}

/** The result of reading all events. */
export interface FullReading {
  readonly text: string;
  readonly reasoning: string;
  /** The citations in the order of their events. */
  readonly sources: readonly unknown[];
  /** The response object of the last event; `undefined` if the last event is missing. */
  readonly response: RecordedResponse | undefined;
  /** The code of the reported error. */
  readonly errorCode: string | undefined;
}

export interface RecordedResponse {
  readonly output: readonly RecordedItem[];
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number };
  readonly [field: string]: unknown;
}

export interface RecordedItem {
  readonly type: string;
  readonly content?: readonly { readonly text?: string; readonly annotations?: readonly unknown[] }[];
  readonly [field: string]: unknown;
}

/** Every stream of the fixtures. */
export function recordedStreams(): RecordedStream[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".chunks.txt"));
  return files.sort().flatMap((file) => {
    const lines = readFileSync(new URL(file, folder), "utf8").split("\n");
    const streams: RecordedEvent[][] = [];
    for (const line of lines.filter((line) => line.trim() !== "")) {
      const event = JSON.parse(line) as RecordedEvent;
      if (event.type === "response.created") streams.push([]);
      streams.at(-1)?.push(event);
    }
    const name = file.replace(".chunks.txt", "");
    return streams.map((events, index) => ({
      name: streams.length === 1 ? name : `${name}, ${index + 1} of ${streams.length}`,
      events,
    }));
  });
}

/** Slow and obviously right. Stops at the event that ends the answer. */
export function readInFull(events: readonly RecordedEvent[]): FullReading {
  let text = "";
  let streamed = "";
  let reasoning = "";
  let parts = 0;
  const sources: unknown[] = [];
  for (const event of events) {
    switch (event.type) {
      case "response.content_part.added":
        streamed = "";
        break;
      case "response.output_text.delta":
        text += event.delta;
        streamed += event.delta;
        break;
      case "response.output_text.done":
        // Some recordings lack some of the deltas.
        if (String(event.text).startsWith(streamed)) text += String(event.text).slice(streamed.length);
        break;
      case "response.reasoning_summary_part.added":
        parts += 1;
        if (parts > 1) reasoning += "\n\n";
        break;
      case "response.reasoning_summary_text.delta":
        reasoning += event.delta;
        break;
      case "response.output_text.annotation.added":
        sources.push(event.annotation);
        break;
      case "error": {
        const { code } = event.error as { code: string };
        return { text, reasoning, sources, response: undefined, errorCode: code };
      }
      case "response.completed": {
        const response = event.response as RecordedResponse;
        return { text, reasoning, sources, response, errorCode: undefined };
      }
    }
  }
  return { text, reasoning, sources, response: undefined, errorCode: undefined };
}

/** Ways in which vendors and proxies frame the same events. */
export const framings: Readonly<Record<string, (event: RecordedEvent) => string>> = {
  "with event names": (event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
  "data alone": (event) => `data: ${JSON.stringify(event)}\n\n`,
  "with CR LF and heartbeats": (event) =>
    `: keep-alive\r\n\r\ndata:\r\n\r\nevent: ${event.type}\r\ndata: ${JSON.stringify(event)}\r\n\r\n`,
};
