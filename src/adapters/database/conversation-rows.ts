import type { Clock } from "../../ports/clock.ts";
import {
  type ConversationPage,
  type ConversationSummary,
  type MessagePage,
  type MessagePiece,
  type NewMessage,
  type ReadingPlace,
  readPagePlace,
  type StoredMessage,
  titleOf,
} from "../../ports/conversation-store.ts";
import type { Item } from "../../ports/item.ts";
import { UnreadableError } from "../../ports/stored-event.ts";
import { decodeItems } from "../../ports/stored-turn.ts";
import type { Row } from "./row.ts";

/** A message to insert. */
export interface MessageRow {
  readonly id: string;
  readonly parentId: string | null;
  readonly requestId: string | null;
  readonly role: StoredMessage["role"];
  readonly personaId: string | null;
  readonly personaName: string | null;
  readonly text: string;
  /** JSON. */
  readonly items: string | null;
  /** `charsOf` the message, and of all messages from the root to it. */
  readonly chars: number;
  readonly pathChars: number;
  readonly status: StoredMessage["status"];
  readonly atMs: number;
}

/** The rows of a chain of messages. `pathChars`: the characters of all messages before it. */
export function rowsOfMessages(
  { parentId, pathChars: charsBefore }: { readonly parentId: string | undefined; readonly pathChars: number },
  messages: readonly Omit<NewMessage, "parentId">[],
  clock: Pick<Clock, "newId" | "wallTimeMs">,
): MessageRow[] {
  let parent = parentId ?? null;
  let pathChars = charsBefore;
  const atMs = clock.wallTimeMs();
  return messages.map((message) => {
    const { requestId = null, role, personaId = null, personaName = null, text, status } = message;
    const items = message.items === undefined ? null : JSON.stringify(message.items);
    const id = message.id ?? clock.newId();
    // The same as `charsOf`, which would encode the items once more.
    const chars = text.length + (items ?? "").length;
    pathChars += chars;
    const row = {
      id,
      parentId: parent,
      requestId,
      role,
      personaId,
      personaName,
      text,
      items,
      chars,
      pathChars,
    };
    parent = id;
    return { ...row, status, atMs };
  });
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

export function toMessage(row: Row, text: string): StoredMessage {
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

/** Makes a page of rows and the bytes of their texts. The last row's text may be cut in the middle. */
export function toPage<Found extends Row>(
  rows: readonly Found[],
  from: ReadingPlace,
  bytesIn: (row: Found) => Buffer,
): MessagePage {
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

/** The place before which a list goes on. Throws `invalid_message` for a `before` that no list gave. */
export function placeBefore(before: string | undefined): number {
  return before === undefined ? Number.MAX_SAFE_INTEGER : readPagePlace(before);
}

/** Makes a page of a list from one row more than it may have. */
export function toListPage(rows: readonly Row[], limit: number): ConversationPage {
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return {
    conversations: page.map(toSummary),
    ...(last === undefined ? {} : { next: String(last.changed) }),
  };
}
