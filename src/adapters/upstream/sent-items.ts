import { createHash } from "node:crypto";
import {
  type Item,
  type ItemPart,
  isText,
  type MessageItem,
  type ReasoningItem,
  textMessage,
  textOf,
} from "../../ports/item.ts";
import type { JsonObject } from "../../ports/json.ts";

/** A short digest of an account, from which its key cannot be found. */
export function digestOf(...parts: readonly (string | null)[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

/**
 * A provider's own state of an item. `undefined` if the state is another provider's or another `origin`'s: no other account and model can
 * read it, and would refuse the request.
 */
export function ownState(
  { providerState }: Item,
  provider: string,
  origin: string | undefined,
): JsonObject | undefined {
  if (providerState?.provider !== provider) return undefined;
  const { state } = providerState;
  // A client that brings its own history has no origin to tell: the vendor decides.
  return state.origin === undefined || state.origin === origin ? state : undefined;
}

/**
 * The items that are sent. Sources are left out, and so is reasoning that the vendor cannot read or would refuse. Items are left out before
 * roles are joined, because one between two messages would keep them apart.
 */
export function sentItems(items: readonly Item[], isReadable: (item: ReasoningItem) => boolean): Item[] {
  return items.filter((item, index) =>
    item.type === "reasoning" ? isContinued(items, index) && isReadable(item) : item.type !== "source",
  );
}

/** APIs refuse reasoning without the answer or the call that follows from it. */
function isContinued(items: readonly Item[], place: number): boolean {
  const next = items.find(({ type }, index) => index > place && type !== "reasoning");
  if (next?.type !== "message") return next?.type === "tool-call";
  return next.role === "assistant" && textOf(next.parts).trim() !== "";
}

/**
 * A request's items in the form that the strictest servers accept. Neighbouring messages with the same role are joined, their texts by an
 * empty line, because chat templates of Mistral, Gemma and others answer 400 to them. Texts without words are left out, and so are
 * messages without anything else. The note for this answer comes last, in a tag.
 */
export function alternateRoles(items: readonly Item[], note?: string): Item[] {
  const tagged = note === undefined ? [] : [textMessage("user", `<note>${note}</note>`)];
  const joined: Item[] = [];
  for (const item of [...items, ...tagged]) {
    const next = item.type === "message" ? withWords(item) : item;
    const last = joined.at(-1);
    if (next.type !== "message") joined.push(next);
    else if (next.parts.length === 0) continue;
    else if (last?.type === "message" && last.role === next.role)
      joined[joined.length - 1] = join(last, next);
    else joined.push(next);
  }
  return joined;
}

function withWords(message: MessageItem): MessageItem {
  const parts = message.parts.filter(hasContent);
  return parts.length === message.parts.length ? message : { ...message, parts };
}

function hasContent(part: ItemPart): boolean {
  return part.type !== "text" || part.text.trim() !== "";
}

/** A provider's state belongs to one message, so the joined one has none. */
function join({ role, parts }: MessageItem, next: MessageItem): MessageItem {
  if (!isText(parts) || !isText(next.parts))
    return { type: "message", role, parts: [...parts, ...next.parts] };
  return textMessage(role, `${textOf(parts, role)}\n\n${textOf(next.parts, role)}`);
}
