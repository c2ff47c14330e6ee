import { isObject, type JsonObject, jsonChars } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import type { DeltaKind } from "../upstream/event-format.ts";
import type { StreamedJson } from "./merged-output.ts";
import {
  type Growth,
  growthOfEvent,
  growthOfPart,
  namedItem,
  StreamedItem,
  type StreamedPart,
} from "./streamed-events.ts";

/** Text that came in an event other than a delta and was not shown yet. */
export interface LateText {
  readonly kind: DeltaKind;
  readonly text: string;
  /** The text belongs to a part that no event announced. */
  readonly isUnannounced: boolean;
}

/** Counted for an item or a part beside its JSON. A vendor may send any number of them. */
const placeChars = 256;
/** Maximum items and parts together: each event looks for its own among them. */
const maxPlaces = 2_000;

interface StreamedOutputOptions {
  /** Above this, nothing is held any more. */
  readonly maxChars: number;
  /** Every event of the answer passes here. If false, a delta may be the rest of a text, so only whole texts and items count. */
  readonly isFromStart: boolean;
}

const noText: readonly LateText[] = [];

/**
 * The items of an answer as its events describe them, in case the final response object says less. There is one copy of each text: a
 * whole text or item replaces the one that was built from deltas.
 */
export class StreamedOutput {
  readonly #maxChars: number;
  readonly #isFromStart: boolean;
  #items: StreamedItem[] = [];
  #chars = 0;
  #places = 0;
  #isFull = false;
  #lastShown: StreamedPart | undefined;

  constructor({ maxChars, isFromStart }: StreamedOutputOptions) {
    this.#maxChars = maxChars;
    this.#isFromStart = isFromStart;
  }

  /** Adds a delta. Returns the part that it belongs to, if that part is held. */
  grow(growth: Growth, event: JsonObject, delta: string): StreamedPart | undefined {
    if (this.#isFull || !this.#isFromStart) return undefined;
    const part = this.#partOf(growth, event);
    this.append(part, delta);
    return part;
  }

  append(part: StreamedPart, delta: string): void {
    if (this.#isFull) return;
    part.text += delta;
    this.#count(delta.length);
    if (part.growth.kind === undefined) return;
    part.shownChars += delta.length;
    this.#lastShown = part;
  }

  /** Takes an event other than a delta. Returns the text in it that no delta brought. */
  accept(type: string, event: JsonObject): readonly LateText[] {
    if (this.#isFull) return noText;
    switch (type) {
      case "response.content_part.added":
      case "response.content_part.done":
      case "response.reasoning_summary_part.added":
      case "response.reasoning_summary_part.done":
        return this.#takePart(event, type.endsWith("added"));
      case "response.output_text.annotation.added":
      case "response.output_text_annotation.added":
        return this.#annotate(event);
      case "response.output_item.added":
      case "response.output_item.done":
        return this.#takeItem(event, type.endsWith("added"));
      default: {
        const growth = growthOfEvent(type)?.growth;
        return growth === undefined ? noText : this.#endText(growth, event);
      }
    }
  }

  /** The items in order. Unfinished items get the status of the response. */
  items(status: "completed" | "incomplete"): readonly StreamedJson[] {
    return this.#inOrder().map((item) => item.asEnded(status));
  }

  /** The shown text; `undefined` if it is not held, or if the vendor's final text differs. */
  shownText(): string | undefined {
    if (this.#isFull || !this.#isFromStart) return undefined;
    const parts = this.#inOrder()
      .flatMap((item) => item.parts)
      .filter(({ growth }) => growth.kind === "text");
    if (parts.some(({ differs }) => differs)) return undefined;
    return parts.map(({ text, shownChars }) => text.slice(0, shownChars)).join("");
  }

  #inOrder(): StreamedItem[] {
    return this.#items.toSorted((one, other) => one.index - other.index);
  }

  #endText(growth: Growth, event: JsonObject): readonly LateText[] {
    const value = event[growth.field];
    if (typeof value !== "string" || value === "") return noText;
    const part = this.#partOf(growth, event);
    const { json } = part.item;
    // Some servers name the called function only here.
    if (growth.list === undefined)
      for (const name of ["name", "call_id"] as const)
        if (json[name] === undefined && event[name] !== undefined) json[name] = event[name];
    return this.#replace(part, value);
  }

  #takePart(event: JsonObject, isAdded: boolean): readonly LateText[] {
    const given = event.part;
    const growth = isObject(given) ? growthOfPart(given.type) : undefined;
    if (!isObject(given) || growth === undefined) return noText;
    const part = this.#partOf(growth, event, isAdded);
    part.isAnnounced ||= isAdded;
    const value = given[growth.field];
    const late = typeof value === "string" ? this.#replace(part, value) : noText;
    part.describe(given);
    this.#count(isAdded ? jsonChars(given) : 0);
    return late;
  }

  #annotate(event: JsonObject): readonly LateText[] {
    const growth = growthOfPart("output_text");
    if (growth === undefined || !isObject(event.annotation)) return noText;
    const place = event.annotation_index;
    const { json } = this.#partOf(growth, event);
    const annotations = Array.isArray(json.annotations) ? json.annotations : [];
    json.annotations = annotations;
    if (typeof place !== "number" || place >= annotations.length) {
      annotations.push(event.annotation);
      this.#count(jsonChars(event.annotation));
    }
    return noText;
  }

  #takeItem(event: JsonObject, isAdded: boolean): readonly LateText[] {
    const given = event.item;
    if (!isObject(given) || typeof given.type !== "string") return noText;
    const { type, id } = given;
    const item =
      this.#findItem(given.type, event.output_index, id, (found) =>
        isAdded ? !found.isAnnounced : !found.isDone || found.json.id === id,
      ) ?? this.#addItem({ type }, event.output_index);
    item.isAnnounced = true;
    item.isDone ||= !isAdded;
    const late: LateText[] = [];
    const before = item.parts.length;
    for (const list of ["summary", "content"] as const) {
      for (const [place, value] of listOf(given[list]).entries()) {
        const growth = isObject(value) ? growthOfPart(value.type) : undefined;
        if (!isObject(value) || growth?.item !== given.type || growth.list !== list) continue;
        const text = value[growth.field];
        if (typeof text === "string") late.push(...this.#replace(item.part(growth, place), text));
      }
    }
    this.#countPlaces(item.parts.length - before);
    this.#count(-item.ownChars);
    item.describe(given);
    this.#count(item.ownChars);
    return late;
  }

  /** Replaces the text from deltas with the vendor's whole text, unless that is shorter. */
  #replace(part: StreamedPart, value: string): readonly LateText[] {
    const { text, shownChars, growth } = part;
    if (value === text || text.startsWith(value)) return noText;
    const goesOn = value.startsWith(text);
    part.text = value;
    this.#count(value.length - text.length);
    if (growth.kind === undefined) return noText;
    if (!goesOn) part.differs = true;
    const isLast = shownChars === 0 || this.#lastShown === part;
    if (!this.#isFromStart || !goesOn || shownChars !== text.length || !isLast) return noText;
    part.shownChars = value.length;
    this.#lastShown = part;
    const isUnannounced = !part.isAnnounced && shownChars === 0;
    return [{ kind: growth.kind, text: value.slice(shownChars), isUnannounced }];
  }

  #partOf(growth: Growth, event: JsonObject, isNew = false): StreamedPart {
    const { output_index: index, item_id: id } = event;
    const item = this.#findItem(growth.item, index, id) ?? this.#addItem(namedItem(growth.item, id), index);
    const place = growth.list === "summary" ? event.summary_index : event.content_index;
    const before = item.parts.length;
    const part = isNew && typeof place !== "number" ? item.nextPart(growth) : item.part(growth, place);
    this.#countPlaces(item.parts.length - before);
    return part;
  }

  /**
   * The item that an event belongs to. The place counts before the id, because some servers give an item another id in each event (GitHub
   * Copilot). Others give no place, or the same one for all items.
   */
  #findItem(
    type: string,
    place: unknown,
    id: unknown,
    mayTake: (item: StreamedItem) => boolean = () => true,
  ): StreamedItem | undefined {
    const fits = (item: StreamedItem) => item.json.type === type && mayTake(item);
    const isSame = (item: StreamedItem) => item.json.id === id;
    const isAt = (item: StreamedItem) => fits(item) && item.index === place;
    const mayBe = (item: StreamedItem) => id === undefined || item.json.id === undefined || isSame(item);
    const items = this.#items;
    const found =
      typeof place === "number"
        ? (items.findLast((item) => isAt(item) && isSame(item)) ??
          items.findLast(isAt) ??
          items.findLast((item) => fits(item) && item.isLoose))
        : items.findLast((item) => fits(item) && mayBe(item));
    if (typeof place === "number") found?.settle(place);
    return found;
  }

  #addItem(json: JsonObject, place: unknown): StreamedItem {
    const isLoose = typeof place !== "number";
    const index = isLoose ? 1 + Math.max(-1, ...this.#items.map((item) => item.index)) : place;
    const item = new StreamedItem(json, { index, isLoose });
    // Most answers have one item, and a list that grows would waste memory on it.
    if (this.#items.length === 0) this.#items = [item];
    else this.#items.push(item);
    this.#countPlaces(1);
    this.#count(item.ownChars);
    return item;
  }

  #countPlaces(places: number): void {
    this.#places += places;
    this.#count(placeChars * places);
  }

  #count(chars: number): void {
    this.#chars += chars;
    if (this.#chars <= this.#maxChars && this.#places <= maxPlaces) return;
    this.#isFull = true;
    for (const { parts } of this.#items) for (const part of parts) part.text = "";
    this.#items = [];
    this.#lastShown = undefined;
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Types of items that are not tool calls. */
const plainItems = new Set(["message", "reasoning", "compaction"]);

/** Reads tool calls from the events of a stream. */
export class ToolEvents {
  /** The call ids by item id, if they differ: a client answers a tool call by its call id. */
  #callIds: Map<string, string> | undefined;

  /** Events for a tool call's item that appeared or is done. Messages and reasoning have events of their own. */
  item(item: unknown, fallbackStatus: string): ProviderEvent[] {
    if (!isObject(item) || typeof item.type !== "string" || plainItems.has(item.type)) return [];
    const status = typeof item.status === "string" ? item.status : fallbackStatus;
    const itemId = String(item.id ?? "");
    const callId = typeof item.call_id === "string" && item.call_id !== "" ? item.call_id : itemId;
    if (callId !== itemId) this.#callIds = (this.#callIds ?? new Map<string, string>()).set(itemId, callId);
    return [{ type: "tool", tool: toolName(item.type), status, callId, payload: item }];
  }

  /** Events such as `response.web_search_call.searching`. A call's first and last states come with its item. */
  progress(type: string, item: unknown): ProviderEvent[] {
    const [, call, status] = /^response\.([a-z_]+_call)\.([a-z_]+)$/.exec(type) ?? [];
    if (call === undefined || status === undefined || status === "in_progress" || status === "completed")
      return [];
    const itemId = String(item ?? "");
    return [{ type: "tool", tool: toolName(call), status, callId: this.#callIds?.get(itemId) ?? itemId }];
  }
}

function toolName(itemType: string): string {
  return itemType.replace(/_call$/, "");
}
