import { type Item, textMessage } from "../../ports/item.ts";
import { isObject, type JsonObject, type JsonValue } from "../../ports/json.ts";

/** The name of the provider, which marks its state in items. */
export const openaiName = "openai";

/** Fields that grow while they are streamed: a prefix of such a text is incomplete. */
const growing = new Set(["text", "refusal", "arguments", "input", "code"]);
/** Lists in which two parts are the same if they are at the same place. */
const partLists = new Set(["content", "summary"]);

/** An item as it was streamed (`said`), and with the fields that every such item has (`whole`). */
export interface StreamedJson {
  readonly said: JsonObject;
  readonly whole: JsonObject;
}

/**
 * The output of the response object, completed with the streamed items, parts, texts, annotations and fields that it lacks. Its own
 * values stay. Returns `final` itself if nothing is missing.
 */
export function mergedOutput(final: unknown, items: readonly StreamedJson[]): JsonValue[] | undefined {
  if (!Array.isArray(final) || final.length === 0) {
    if (items.length > 0) return items.map(({ whole }) => whole);
    return Array.isArray(final) ? final : undefined;
  }
  const streamed = items.map(({ said }) => said);
  const partners = findPartners(final, streamed);
  const known = new Set(partners);
  const merged = final.map((item, place) => {
    const partner = streamed[partners[place] ?? -1];
    return isObject(item) && partner !== undefined ? enrichedItem(item, partner) : item;
  });
  const missing = [...streamed.keys()].filter((index) => !known.has(index));
  const text = fullText(merged);
  const hasMessage = merged.some((item) => isObject(item) && item.type === "message");
  const isLost = (index: number) => {
    const own = fullText([streamed[index]]);
    // The final object may join several streamed messages.
    return streamed[index]?.type !== "message" || !hasMessage || (own !== "" && !text.includes(own));
  };
  const lost = missing.filter(isLost);
  if (lost.length === 0) return merged.some((item, place) => item !== final[place]) ? merged : final;
  return insertAll(merged, partners, items, lost);
}

/** For each item of the response object, the index of the same item in the streamed ones. */
function findPartners(final: readonly unknown[], streamed: readonly JsonObject[]): (number | undefined)[] {
  const partners: (number | undefined)[] = final.map(() => undefined);
  const free = new Set(streamed.keys());
  const pair = (isSame: (item: JsonObject, other: JsonObject, place: number, index: number) => boolean) => {
    for (const [place, item] of final.entries()) {
      if (partners[place] !== undefined || !isObject(item)) continue;
      for (const index of free) {
        const other = streamed[index];
        if (other === undefined || other.type !== item.type || !isSame(item, other, place, index)) continue;
        partners[place] = index;
        free.delete(index);
        break;
      }
    }
  };
  pair((item, other) => item.id !== undefined && item.id === other.id);
  pair((item, other) => item.call_id !== undefined && item.call_id === other.call_id);
  pair((_item, _other, place, index) => place === index);
  pair((item, other) => item.id === undefined || other.id === undefined || isSameText(item, other));
  return partners;
}

function isSameText(item: JsonObject, other: JsonObject): boolean {
  const text = fullText([item]);
  return text !== "" && text === fullText([other]);
}

/** Each lost item goes before the first item that was streamed after it. */
function insertAll(
  merged: readonly JsonValue[],
  partners: readonly (number | undefined)[],
  items: readonly StreamedJson[],
  lost: readonly number[],
): JsonValue[] {
  const all: JsonValue[] = [];
  let next = 0;
  const insertUntil = (index: number) => {
    for (let at = lost[next]; at !== undefined && at < index; at = lost[next]) {
      const item = items[at];
      if (item !== undefined) all.push(item.whole);
      next += 1;
    }
  };
  for (const [place, item] of merged.entries()) {
    const partner = partners[place];
    if (partner !== undefined) insertUntil(partner);
    all.push(item);
  }
  insertUntil(Infinity);
  return all;
}

/**
 * An item or a part, completed with fields of the other one that it lacks or that are longer there. Returns `final` itself if there are
 * none.
 */
export function enrichedItem(final: JsonObject, streamed: JsonObject): JsonObject {
  let richer: JsonObject | undefined;
  for (const name of Object.keys(streamed)) {
    const own = final[name];
    const better = betterValue(name, own, streamed[name]);
    if (better === own) continue;
    richer ??= { ...final };
    richer[name] = better;
  }
  return richer ?? final;
}

function betterValue(
  name: string,
  own: JsonValue | undefined,
  streamed: JsonValue | undefined,
): JsonValue | undefined {
  if (isNothing(own)) return isNothing(streamed) ? own : streamed;
  if (typeof own === "string" && typeof streamed === "string")
    return growing.has(name) && streamed.length > own.length && streamed.startsWith(own) ? streamed : own;
  if (!Array.isArray(own) || !Array.isArray(streamed)) return own;
  if (partLists.has(name)) return withParts(own, streamed);
  return name === "annotations" ? withAnnotations(own, streamed) : own;
}

function isNothing(value: JsonValue | undefined): boolean {
  return (
    value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)
  );
}

function withParts(own: JsonValue[], streamed: readonly JsonValue[]): JsonValue[] {
  const merged = own.map((part, place) => {
    const other = streamed[place];
    return isObject(part) && isObject(other) && part.type === other.type ? enrichedItem(part, other) : part;
  });
  // The final object may join several streamed parts.
  const text = merged.map(partText).join("");
  const lost = streamed.slice(own.length).filter((part) => !text.includes(partText(part)));
  if (lost.length > 0) return [...merged, ...lost];
  return merged.some((part, place) => part !== own[place]) ? merged : own;
}

function withAnnotations(own: JsonValue[], streamed: readonly JsonValue[]): JsonValue[] {
  if (streamed.length <= own.length) return own;
  const known = new Set(own.map(sourceOf));
  return [...own, ...streamed.filter((annotation) => !known.has(sourceOf(annotation)))];
}

/** The source and the place of an annotation, which identify it. */
function sourceOf(annotation: JsonValue): string {
  if (!isObject(annotation)) return JSON.stringify(annotation);
  const { type, url, file_id, container_id, start_index, end_index, index } = annotation;
  return JSON.stringify([type, url, file_id, container_id, start_index, end_index, index]);
}

/** The text of all messages, refusals included. */
export function fullText(output: unknown): string {
  return partTexts(output, "message", "content").join("");
}

/** The texts of the reasoning's summary, or of the reasoning itself if it has no summary. */
export function reasoningTexts(output: unknown): string[] {
  const summary = partTexts(output, "reasoning", "summary");
  return summary.length > 0 ? summary : partTexts(output, "reasoning", "content");
}

/** The texts of all parts in a list of the items of one type. */
function partTexts(output: unknown, type: string, list: "content" | "summary"): string[] {
  return (Array.isArray(output) ? output : [])
    .filter((item) => isObject(item) && item.type === type)
    .flatMap((item) => (Array.isArray(item[list]) ? item[list] : []))
    .map(partText);
}

function partText(part: unknown): string {
  return isObject(part) ? String(part.text ?? part.refusal ?? "") : "";
}

/** The items of an answer's `output`; `undefined` if it is only text, which was streamed. `origin`: the account and model that made it. */
export function itemsOfOutput(output: unknown, origin: string | undefined): readonly Item[] | undefined {
  const items = (Array.isArray(output) ? output : []).flatMap((item) => toItem(item, origin));
  return items.some(({ type }) => type !== "message") ? items : undefined;
}

function toItem(item: unknown, origin: string | undefined): Item[] {
  if (!isObject(item)) return [];
  switch (item.type) {
    case "message":
      return [textMessage("assistant", fullText([item]))];
    case "function_call":
      return toToolCall(item);
    case "reasoning": {
      const { encrypted_content } = item;
      if (origin === undefined || typeof encrypted_content !== "string" || encrypted_content === "")
        return [];
      const providerState = { provider: openaiName, state: { origin, encrypted_content } };
      return [{ type: "reasoning", text: reasoningTexts([item]).join("\n\n"), providerState }];
    }
    default:
      return [];
  }
}

function toToolCall({ call_id: callId, name, arguments: args }: JsonObject): Item[] {
  if (typeof callId !== "string" || typeof name !== "string" || typeof args !== "string") return [];
  return [{ type: "tool-call", callId, name, arguments: args }];
}
