import { type ReasoningItem, storedItems } from "./item.ts";
import { isObject, type JsonObject } from "./json.ts";

/** The start of reasoning that carries another vendor's state than OpenAI's. */
const mark = "troupe:";
/** A client may send no longer text back. */
const maxChars = 200_000;

/** Whether a request asks for the state of reasoning in its response, to keep the history itself. */
export function wantsCarried({ include }: JsonObject): boolean {
  return Array.isArray(include) && include.includes("reasoning.encrypted_content");
}

/** Reasoning as the `encrypted_content` of an item of the Responses API; `undefined` if it has no state or is too long to come back. */
export function carryReasoning({ text, providerState }: ReasoningItem): string | undefined {
  if (providerState === undefined) return undefined;
  const carried = `${mark}${JSON.stringify({ text, providerState })}`;
  return carried.length > maxChars ? undefined : carried;
}

/** The reasoning in such a text, which a client sends back; `undefined` if it is another vendor's. */
export function readCarried(encrypted: string): ReasoningItem | undefined {
  if (!encrypted.startsWith(mark)) return undefined;
  try {
    const carried: unknown = JSON.parse(encrypted.slice(mark.length));
    if (!isObject(carried)) return undefined;
    const { text, providerState } = carried;
    const [item] = storedItems.parse([{ type: "reasoning", text, providerState }]);
    return item?.type === "reasoning" ? item : undefined;
  } catch {
    return undefined;
  }
}
