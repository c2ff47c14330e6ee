import type {
  ResponseFunctionToolCall,
  ResponseFunctionWebSearch,
  ResponseOutputItem,
  ResponseOutputMessage,
  ResponseReasoningItem,
} from "openai/resources/responses/responses";
import type { WireEvent } from "./response-object.ts";

/** The events of one whole output item, and the item as it is in the final response object. */
export interface StreamedItem {
  readonly events: readonly WireEvent[];
  readonly item: ResponseOutputItem;
}

/** A message item in its three phases, between which a fault can be inserted. */
export interface StreamedMessage {
  readonly opening: readonly WireEvent[];
  readonly deltas: readonly WireEvent[];
  readonly closing: readonly WireEvent[];
  readonly item: ResponseOutputMessage;
}

/** The web search tool: in progress, searching, completed. */
export function webSearchItem(id: string, query: string, index: number): StreamedItem {
  const at = { item_id: id, output_index: index };
  const action = { type: "search", query } as const;
  const item: ResponseFunctionWebSearch = { id, type: "web_search_call", status: "completed", action };
  return {
    item,
    events: [
      { type: "response.output_item.added", output_index: index, item: { ...item, status: "in_progress" } },
      { type: "response.web_search_call.in_progress", ...at },
      { type: "response.web_search_call.searching", ...at },
      { type: "response.web_search_call.completed", ...at },
      { type: "response.output_item.done", output_index: index, item },
    ],
  };
}

/** A call of a function: its arguments grow delta by delta. */
export function functionCallItem(
  id: string,
  name: string,
  argumentDeltas: readonly string[],
  index: number,
): StreamedItem {
  const at = { item_id: id, output_index: index };
  const item: ResponseFunctionToolCall = {
    id,
    type: "function_call",
    status: "completed",
    call_id: `call_${id}`,
    name,
    arguments: argumentDeltas.join(""),
  };
  const opened: ResponseFunctionToolCall = { ...item, status: "in_progress", arguments: "" };
  return {
    item,
    events: [
      { type: "response.output_item.added", output_index: index, item: opened },
      ...argumentDeltas.map(
        (delta): WireEvent => ({ type: "response.function_call_arguments.delta", ...at, delta }),
      ),
      { type: "response.function_call_arguments.done", ...at, arguments: item.arguments },
      { type: "response.output_item.done", output_index: index, item },
    ],
  };
}

/** A reasoning item with one summary part. */
export function reasoningItem(id: string, summaryDeltas: readonly string[], index: number): StreamedItem {
  const at = { item_id: id, output_index: index, summary_index: 0 };
  const text = summaryDeltas.join("");
  const item: ResponseReasoningItem = { id, type: "reasoning", summary: [{ type: "summary_text", text }] };
  const empty = { type: "summary_text", text: "" } as const;
  return {
    item,
    events: [
      { type: "response.output_item.added", output_index: index, item: { ...item, summary: [] } },
      { type: "response.reasoning_summary_part.added", ...at, part: empty },
      ...summaryDeltas.map(
        (delta): WireEvent => ({ type: "response.reasoning_summary_text.delta", ...at, delta }),
      ),
      { type: "response.reasoning_summary_text.done", ...at, text },
      { type: "response.reasoning_summary_part.done", ...at, part: { ...empty, text } },
      { type: "response.output_item.done", output_index: index, item },
    ],
  };
}

/** A message with one part of text. `obfuscation` is the padding field that the API adds to deltas by default. */
export function messageItem(
  id: string,
  deltas: readonly string[],
  index: number,
  options: { finalText: string; status: "completed" | "incomplete"; obfuscation?: string | undefined },
): StreamedMessage {
  const at = { item_id: id, output_index: index, content_index: 0 };
  const padding = options.obfuscation === undefined ? {} : { obfuscation: options.obfuscation };
  const empty = { type: "output_text", annotations: [], logprobs: [], text: "" } as const;
  const part = { ...empty, annotations: [], logprobs: [], text: options.finalText };
  const item = message(id, [part], options.status);
  return {
    item,
    opening: [
      { type: "response.output_item.added", output_index: index, item: message(id, [], "in_progress") },
      {
        type: "response.content_part.added",
        ...at,
        part: { ...empty, annotations: [], logprobs: [] },
      },
    ],
    deltas: deltas.map((delta) => ({
      type: "response.output_text.delta",
      ...at,
      delta,
      logprobs: [],
      ...padding,
    })),
    closing: [
      { type: "response.output_text.done", ...at, text: options.finalText, logprobs: [] },
      { type: "response.content_part.done", ...at, part },
      { type: "response.output_item.done", output_index: index, item },
    ],
  };
}

/** A message whose only part is a refusal. */
export function refusalItem(id: string, deltas: readonly string[], index: number): StreamedMessage {
  const at = { item_id: id, output_index: index, content_index: 0 };
  const refusal = deltas.join("");
  const part = { type: "refusal", refusal } as const;
  const item = message(id, [part], "completed");
  return {
    item,
    opening: [
      { type: "response.output_item.added", output_index: index, item: message(id, [], "in_progress") },
      { type: "response.content_part.added", ...at, part: { ...part, refusal: "" } },
    ],
    deltas: deltas.map((delta) => ({ type: "response.refusal.delta", ...at, delta })),
    closing: [
      { type: "response.refusal.done", ...at, refusal },
      { type: "response.content_part.done", ...at, part },
      { type: "response.output_item.done", output_index: index, item },
    ],
  };
}

function message(
  id: string,
  content: ResponseOutputMessage["content"],
  status: ResponseOutputMessage["status"],
): ResponseOutputMessage {
  return { id, type: "message", role: "assistant", status, content };
}
