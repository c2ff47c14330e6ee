import type { Clock } from "../../ports/clock.ts";
import {
  type ConversationSummary,
  charsOf,
  type MessagePage,
  type MessagePiece,
  type NewMessage,
  type PathMessage,
  type ReadingPlace,
  type StoredMessage,
} from "../../ports/conversation-store.ts";
import type { Item } from "../../ports/item.ts";
import { titleOf } from "../../ports/search-terms.ts";
import { UnreadableError } from "../../ports/stored-event.ts";
import { decodeItems } from "../../ports/stored-turn.ts";
import type { NewRow } from "./beat-item.ts";
import type { Row } from "./connection.ts";
import { indexedWords } from "./search-words.ts";

/** The rows of a chain of messages. `pathChars`: the characters of all messages before it. */
export async function rowsOfMessages(
  owner: string,
  { parentId, pathChars: charsBefore }: { readonly parentId: string | undefined; readonly pathChars: number },
  messages: readonly Omit<NewMessage, "parentId">[],
  clock: Pick<Clock, "newId" | "wallTimeMs">,
): Promise<NewRow[]> {
  let parent = parentId ?? null;
  let pathChars = charsBefore;
  const atMs = clock.wallTimeMs();
  const rows: NewRow[] = [];
  for (const message of messages) {
    const { requestId = null, role, personaId = null, personaName = null, text, status } = message;
    const items = message.items === undefined ? null : JSON.stringify(message.items);
    const id = message.id ?? clock.newId();
    const chars = charsOf(message);
    pathChars += chars;
    const words = await indexedWords(owner, text);
    rows.push({
      id,
      parentId: parent,
      requestId,
      role,
      personaId,
      personaName,
      text,
      items,
      chars,
      status,
      atMs,
      pathChars,
      words,
    });
    parent = id;
  }
  return rows;
}

/** The title that these messages give a conversation that has none. */
export function titleFrom(messages: readonly Pick<NewMessage, "role" | "text">[]): string | null {
  const questions = messages.filter(({ role }) => role === "user");
  return questions.map(({ text }) => titleOf(text)).find((title) => title !== "") ?? null;
}

/** Columns and their optional fields; a column without a value gives no field. */
const optionalFields = [
  ["parent_id", "parentId"],
  ["persona_id", "personaId"],
  ["persona_name", "personaName"],
  ["request_id", "requestId"],
] as const;

/** The bytes of a column; none if it has no value. */
export function bytesIn(row: Row): Buffer {
  return Buffer.isBuffer(row.content) ? row.content : Buffer.alloc(0);
}

export function toMessage(row: Row, text = bytesIn(row).toString()): StoredMessage {
  const items = typeof row.items === "string" ? itemsIn(row.items) : undefined;
  const present = optionalFields.filter(([column]) => typeof row[column] === "string");
  return {
    id: String(row.id),
    role: row.role === "assistant" ? "assistant" : "user",
    text,
    ...(items === undefined ? {} : { items }),
    status: row.status === "failed" || row.status === "cancelled" ? row.status : "completed",
    ...Object.fromEntries(present.map(([column, field]) => [field, String(row[column])])),
  };
}

/** A message whose items this version cannot read is only its text. */
function itemsIn(json: string): readonly Item[] | undefined {
  try {
    return decodeItems(json);
  } catch (fault) {
    if (fault instanceof UnreadableError) return undefined;
    throw fault;
  }
}

export function toPathMessage(row: Row): PathMessage {
  return { ...toMessage(row), pathChars: Number(row.path_chars) };
}

/** Makes a page of rows. The last row's text may be cut in the middle. */
export function toPage(rows: readonly Row[], from: ReadingPlace): MessagePage {
  let next: ReadingPlace | undefined;
  const pieces = rows.map((row): MessagePiece => {
    const [number, bytes] = [Number(row.number), Number(row.bytes)];
    const offset = number === from.message ? from.offset : 0;
    const piece = bytesIn(row);
    const isLast = piece.length === bytes;
    const whole = isLast ? piece : withoutCutCharacter(piece);
    if (!isLast) next = { message: number, offset: offset + whole.length };
    else if (number < Number(row.newest)) next = { message: number + 1, offset: 0 };
    else next = undefined;
    const message = { ...toMessage(row, whole.toString()), createdAtMs: Number(row.created_at_ms) };
    return { message, goesOn: offset > 0, isLast };
  });
  return next === undefined ? { pieces } : { pieces, next };
}

/** Removes an incomplete character from the end of UTF-8 text. */
function withoutCutCharacter(bytes: Buffer): Buffer {
  let end = bytes.length - 1;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  const first = bytes[end] ?? 0;
  const size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return end + size > bytes.length ? bytes.subarray(0, end) : bytes;
}

export function toSummary(row: Row): ConversationSummary {
  return {
    id: String(row.id),
    title: String(row.title ?? ""),
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
    ...(typeof row.head_id === "string" ? { headId: row.head_id } : {}),
  };
}
