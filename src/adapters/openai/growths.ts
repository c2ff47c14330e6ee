import type { DeltaKind } from "../upstream/event-format.ts";

/** A text of an answer that comes in deltas. */
export interface Growth {
  /** Shown as answer or as reasoning; `undefined` if it appears only in the response object. */
  readonly kind?: DeltaKind;
  /** The type of the item that it belongs to. */
  readonly item: string;
  /** The item's list that the part is in, and the part's type. Without them the text is a field of the item itself. */
  readonly list?: "content" | "summary";
  readonly part?: string;
  readonly field: "text" | "refusal" | "arguments" | "input" | "code";
}

/** By the name in `response.<name>.delta` and `response.<name>.done` (`ResponseStreamEvent` of the openai package). */
const growths: ReadonlyMap<string, Growth> = new Map<string, Growth>([
  ["output_text", { kind: "text", item: "message", list: "content", part: "output_text", field: "text" }],
  ["refusal", { kind: "text", item: "message", list: "content", part: "refusal", field: "refusal" }],
  [
    "reasoning_text",
    { kind: "reasoning", item: "reasoning", list: "content", part: "reasoning_text", field: "text" },
  ],
  [
    "reasoning_summary_text",
    { kind: "reasoning", item: "reasoning", list: "summary", part: "summary_text", field: "text" },
  ],
  ["function_call_arguments", { item: "function_call", field: "arguments" }],
  ["custom_tool_call_input", { item: "custom_tool_call", field: "input" }],
  ["mcp_call_arguments", { item: "mcp_call", field: "arguments" }],
  ["code_interpreter_call_code", { item: "code_interpreter_call", field: "code" }],
]);

const byPart: ReadonlyMap<unknown, Growth> = new Map(
  [...growths.values()].flatMap((growth) => (growth.part === undefined ? [] : [[growth.part, growth]])),
);

const eventName = /^response\.(\w+)\.(delta|done)$/;

/** The text that an event extends (`delta`) or gives whole (`done`). */
export function growthOfEvent(
  type: string,
): { readonly growth: Growth; readonly stage: "delta" | "done" } | undefined {
  const [, name = "", stage] = eventName.exec(type) ?? [];
  const growth = growths.get(name);
  return growth === undefined ? undefined : { growth, stage: stage === "delta" ? "delta" : "done" };
}

export function growthOfPart(type: unknown): Growth | undefined {
  return byPart.get(type);
}
