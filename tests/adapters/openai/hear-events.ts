import { ResponsesMachine } from "../../../src/adapters/openai/responses-machine.ts";
import { EventReader } from "../../../src/adapters/upstream/event-reader.ts";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

/** One event of a stream. */
export type Event = { readonly type: string; readonly [field: string]: unknown };

/** The result of reading a stream. */
export interface Heard {
  readonly text: string;
  readonly reasoning: string;
  readonly output: unknown;
  readonly finishReason: string | undefined;
  readonly code: string | undefined;
}

/** Reads these events from bytes, as every stream is read. */
export function hear(events: readonly Event[], includeReasoning = true): Heard {
  const reader = new EventReader(new ResponsesMachine({ includeReasoning }));
  const heard: ProviderEvent[] = [];
  let code: string | undefined;
  for (const event of events) {
    const { events: given, failure } = reader.read(Buffer.from(`data: ${JSON.stringify(event)}\n\n`));
    heard.push(...given);
    if (failure !== undefined) code = TroupeError.from(failure.error).code;
  }
  const joined = (type: "text" | "reasoning") =>
    heard.map((event) => (event.type === type ? event.text : "")).join("");
  const end = heard.find((event) => event.type === "end");
  return {
    text: joined("text"),
    reasoning: joined("reasoning"),
    output: end?.response?.output,
    finishReason: end?.finishReason,
    code,
  };
}

export const created: Event = { type: "response.created", response: { id: "resp_1", status: "in_progress" } };
export const completed = (response: object = {}): Event => ({
  type: "response.completed",
  response: { id: "resp_1", status: "completed", ...response },
});
export const at = (fields: object) => ({ item_id: "msg_1", output_index: 0, content_index: 0, ...fields });
export const source = {
  type: "url_citation",
  url: "https://example.org/a",
  title: "A",
  start_index: 0,
  end_index: 2,
};
export const textPart = (text: string, annotations: unknown[] = []) => ({
  type: "output_text",
  text,
  annotations,
});
export const message = (text: string, changes: object = {}) => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  status: "completed",
  content: [textPart(text)],
  ...changes,
});
export const delta = (text: string, fields: object = {}): Event => ({
  type: "response.output_text.delta",
  ...at({ delta: text, ...fields }),
});
export const added = (item: object, output_index = 0): Event => ({
  type: "response.output_item.added",
  output_index,
  item,
});
export const done = (item: object, output_index = 0): Event => ({
  type: "response.output_item.done",
  output_index,
  item,
});
export const unfinished = (fields: object) => ({ status: "in_progress", ...fields });
