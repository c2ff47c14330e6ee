import { isObject, type JsonObject, type JsonValue, jsonChars } from "../../ports/json.ts";
import type { FinishReason } from "../../ports/provider.ts";
import type { DeltaKind } from "../upstream/event-format.ts";
import { enrichedItem, type StreamedJson } from "./merged-output.ts";

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

/** An item of which only a part has come. */
export function namedItem(type: string, id: unknown): JsonObject {
  return { type, ...(typeof id === "string" ? { id } : {}) };
}

/** The fields that every item of its type has. */
function usualFields(type: unknown, status: string): JsonObject {
  if (type === "message") return { role: "assistant", status, content: [] };
  return type === "reasoning" ? { summary: [] } : { status };
}

/** One item of an answer, as far as it was streamed. Objects of events are copied before a change, because other code holds them too. */
export class StreamedItem {
  json: JsonObject;
  index: number;
  /** The stream gave no index for it. */
  isLoose: boolean;
  isAnnounced = false;
  isDone = false;
  /** In the order in which they came. */
  parts: StreamedPart[] = [];

  constructor(json: JsonObject, { index, isLoose }: { index: number; isLoose: boolean }) {
    this.index = index;
    this.isLoose = isLoose;
    this.json = json;
  }

  /** The length of its JSON, without the texts of its parts. */
  get ownChars(): number {
    return jsonChars(this.json) - this.parts.reduce((chars, { text }) => chars + text.length, 0);
  }

  /** The item in a response that ended with this status. */
  asEnded(status: string): StreamedJson {
    const said = this.json.status === "in_progress" ? { ...this.json, status } : this.json;
    return { said, whole: this.isAnnounced ? said : { ...usualFields(said.type, status), ...said } };
  }

  settle(index: number): void {
    this.index = index;
    this.isLoose = false;
  }

  /** Its part at a place. Without a place: its last part of this kind, or a new first one. */
  part(growth: Growth, place: unknown): StreamedPart {
    const same = this.parts.filter((part) => part.growth === growth);
    const found = typeof place === "number" ? same.find((part) => part.number === place) : same.at(-1);
    return found ?? this.#addPart(growth, typeof place === "number" ? place : 0);
  }

  /** Adds a part after all others. */
  nextPart(growth: Growth): StreamedPart {
    return this.#addPart(growth, 1 + Math.max(-1, ...this.parts.map(({ number }) => number)));
  }

  /** Takes an event's description of the whole item. Streamed values that the description lacks stay. */
  describe(given: JsonObject): void {
    const { content, summary } = given;
    const own = {
      ...given,
      ...(Array.isArray(content) ? { content: content.map(ownPart) } : {}),
      ...(Array.isArray(summary) ? { summary: summary.map(ownPart) } : {}),
    };
    this.json = enrichedItem(own, this.json);
  }

  /** The list of its parts, created if it is missing. */
  list(name: "content" | "summary"): JsonValue[] {
    const list = this.json[name];
    if (Array.isArray(list)) return list;
    const made: JsonValue[] = [];
    this.json[name] = made;
    return made;
  }

  #addPart(growth: Growth, number: number): StreamedPart {
    const part = new StreamedPart(this, growth, number);
    // Nearly every item has one part, and a list that grows would waste memory on it.
    if (this.parts.length === 0) this.parts = [part];
    else this.parts.push(part);
    return part;
  }
}

/** A text that grows: a field of an item, or of one of the item's parts. */
export class StreamedPart {
  readonly item: StreamedItem;
  readonly growth: Growth;
  /** Its index in the events. */
  readonly number: number;
  readonly #place: number;
  isAnnounced = false;
  /** Number of its characters that were shown. */
  shownChars = 0;
  /** The vendor's final text differs from the streamed one. */
  differs = false;

  constructor(item: StreamedItem, growth: Growth, number: number) {
    this.item = item;
    this.growth = growth;
    this.number = number;
    if (growth.list === undefined) {
      this.#place = 0;
      return;
    }
    const list = item.list(growth.list);
    // A place far beyond the end would leave empty entries in the list.
    const isThere = isObject(list[number]) && list[number].type === growth.part;
    this.#place = isThere ? number : list.length;
    if (!isThere) list.push(emptyPart(growth));
  }

  /** The object that holds the text as a field. */
  get json(): JsonObject {
    const { list } = this.growth;
    const part = list === undefined ? this.item.json : this.item.list(list)[this.#place];
    return isObject(part) ? part : this.item.json;
  }

  get text(): string {
    const text = this.json[this.growth.field];
    return typeof text === "string" ? text : "";
  }

  set text(text: string) {
    this.json[this.growth.field] = text;
  }

  /** Takes an event's description of the whole part. */
  describe(given: JsonObject): void {
    const { json } = this;
    Object.assign(json, enrichedItem(given, json));
  }
}

function emptyPart({ part = "", field }: Growth): JsonObject {
  return { type: part, [field]: "", ...(part === "output_text" ? { annotations: [] } : {}) };
}

function ownPart(part: JsonValue): JsonValue {
  if (!isObject(part)) return part;
  return Array.isArray(part.annotations) ? { ...part, annotations: [...part.annotations] } : { ...part };
}

type EndStatus = "completed" | "incomplete" | "failed" | "cancelled";
/** The statuses with which a response ends. */
const endStatuses: ReadonlySet<unknown> = new Set<EndStatus>([
  "completed",
  "incomplete",
  "failed",
  "cancelled",
]);

/**
 * The status with which a response ended. Its own status decides. If that is missing or not final, an error in it decides, and then the
 * event's name.
 */
export function endStatus(type: string, response: unknown): EndStatus {
  const status = isObject(response) ? response.status : undefined;
  if (endStatuses.has(status)) return status as EndStatus;
  if (isObject(response) && response.error) return "failed";
  const named = type.replace("response.", "");
  return endStatuses.has(named) ? (named as EndStatus) : "completed";
}

/** Whether an event is a failure: by its name, or because it carries an error. No event of an answer carries one. */
export function isFailure(type: string, event: unknown): boolean {
  if (type === "error" || type === "response.error") return true;
  if (!isObject(event)) return false;
  if (event.error || event.object === "error") return true;
  return type === "" && (Array.isArray(event.errors) || typeof event.detail === "string");
}

export function finishReasonOf(response: JsonObject, status: EndStatus): FinishReason {
  const details = response.incomplete_details;
  if (status === "incomplete" || isObject(details)) {
    return isObject(details) && details.reason === "content_filter" ? "content_filter" : "length";
  }
  const output = Array.isArray(response.output) ? response.output : [];
  const asksForTool = output.some(
    (item) => isObject(item) && /^(function|custom_tool)_call$/.test(String(item.type)),
  );
  return asksForTool ? "tool_calls" : "stop";
}

/** Whether a body is a whole response, as a server sends it that does not stream. */
export function isWhole(body: unknown): body is JsonObject {
  return isObject(body) && Array.isArray(body.output) && endStatuses.has(body.status);
}
