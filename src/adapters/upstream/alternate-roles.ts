import { type Item, type ItemPart, isText, type MessageItem, textMessage, textOf } from "../../ports/item.ts";

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
