import {
  charsOf,
  type MessagePage,
  type MessagePiece,
  type PathMessage,
  type ReadingPlace,
  type StoredMessage,
} from "../../ports/conversation-store.ts";
import type { SearchedMessage } from "./search-messages.ts";

/** A message as the store in memory keeps it. */
export interface KeptMessage extends SearchedMessage {
  readonly message: StoredMessage;
  readonly createdAtMs: number;
  /** Characters of all messages from the root to this one. */
  readonly pathChars: number;
}

/** Maximum messages of one page, because each has fields beside its text. */
const maxMessages = 100;
/** A UTF-16 unit takes at most this many bytes of UTF-8. */
const bytesPerUnit = 3;

/** Makes one page of messages from a place on. Places count messages and UTF-16 units; see `ConversationStore`. */
export function pageOf(messages: readonly KeptMessage[], maxBytes: number, from: ReadingPlace): MessagePage {
  const pieces: MessagePiece[] = [];
  let room = maxBytes;
  for (let place = from.message; place < messages.length; place += 1) {
    const kept = messages[place];
    if (kept === undefined) break;
    const offset = place === from.message ? from.offset : 0;
    const rest = kept.message.text.slice(offset);
    // A text has at least as many bytes as units, so a long one need not be counted.
    const bytes = rest.length > room ? Number.POSITIVE_INFINITY : Buffer.byteLength(rest);
    if (pieces.length > 0 && (bytes > room || pieces.length === maxMessages))
      return { pieces, next: { message: place, offset: 0 } };
    const text = bytes <= room ? rest : cut(rest, Math.floor(room / bytesPerUnit));
    const { items: _, ...shown } = kept.message;
    const message = { ...shown, text, createdAtMs: kept.createdAtMs };
    pieces.push({ message, goesOn: offset > 0, isLast: text.length === rest.length });
    if (text.length < rest.length) return { pieces, next: { message: place, offset: offset + text.length } };
    room -= bytes;
  }
  return { pieces };
}

/** Cuts a text without splitting a surrogate pair; a pair that does not fit by itself is returned whole. */
function cut(text: string, units: number): string {
  const last = text.charCodeAt(units - 1);
  const isHalf = last >= 0xd800 && last < 0xdc00;
  if (!isHalf) return text.slice(0, units);
  return text.slice(0, units === 1 ? 2 : units - 1);
}

/** The path to a message of a conversation; see `ConversationStore`. */
export function pathTo(
  messages: ReadonlyMap<string, KeptMessage> | undefined,
  messageId: string,
  maxChars: number,
): PathMessage[] | undefined {
  const path: PathMessage[] = [];
  let kept = messages?.get(messageId);
  if (kept === undefined) return undefined;
  let chars = 0;
  while (kept !== undefined && (chars === 0 || chars + charsOf(kept.message) <= maxChars)) {
    const { message, pathChars }: KeptMessage = kept;
    path.push({ ...message, pathChars });
    chars += charsOf(message);
    const { parentId }: StoredMessage = message;
    kept = parentId === undefined ? undefined : messages?.get(parentId);
  }
  return path.reverse();
}
