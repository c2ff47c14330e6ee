import type { Clock } from "../../ports/clock.ts";
import {
  type ConversationStore,
  type ConversationSummary,
  charsOf,
  type MessagePage,
  type MessagePiece,
  type PathMessage,
  type ReadingPlace,
  readPagePlace,
  type StoredMessage,
} from "../../ports/conversation-store.ts";
import type { Item } from "../../ports/item.ts";
import { searchTerms } from "../../ports/search-terms.ts";
import { UnreadableError } from "../../ports/stored-event.ts";
import { decodeItems } from "../../ports/stored-turn.ts";
import { createEraser } from "./erase-removed.ts";
import { indexBlocks } from "./index-blocks.ts";
import { writesOfMessages } from "./message-writes.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Row, Value } from "./statements.ts";

interface SqliteConversationOptions {
  readonly store: SqliteStore;
  readonly clock: Clock;
}

/** A search that takes longer returns the messages found so far, milliseconds. */
const searchLimitMs = 2_000;

/**
 * Messages of earlier versions have no `path_chars`: when such a branch goes on, up to this many characters of its newest texts are
 * counted.
 */
const maxUncountedChars = 1_000_000;

/**
 * Conversations in the database. Deleted text is overwritten in the file. Dispose them before the store; the next start erases the rest of
 * deleted conversations.
 */
export function createSqliteConversations({
  store,
  clock,
}: SqliteConversationOptions): ConversationStore & Disposable {
  const eraser = createEraser(store);
  const indexing = indexBlocks({ store, clock });

  async function find(owner: string, id: string): Promise<Row | undefined> {
    return (await store.of(owner).read("findConversation", id, owner))[0];
  }

  /** Characters of the messages from the root to one; `undefined` if there is no such message. */
  async function charsTo(owner: string, id: string, messageId: string): Promise<number | undefined> {
    const [row] = await store.of(owner).read("findMessage", messageId, id);
    if (row === undefined) return undefined;
    if (typeof row.path_chars === "number") return row.path_chars;
    const path = await store.of(owner).read("path", messageId, id, maxUncountedChars);
    return path.reduce((chars, row) => chars + charsOf(toMessage(row)), 0);
  }

  return {
    async create(owner, id = clock.newId()) {
      const nowMs = clock.wallTimeMs();
      await store.of(owner).write([["createConversation", id, owner, nowMs, nowMs]], true);
      return id;
    },
    async head(owner, id) {
      const row = await find(owner, id);
      if (row === undefined) return undefined;
      return typeof row.head_id === "string" ? { messageId: row.head_id } : {};
    },
    async path(owner, id, messageId, maxChars) {
      if ((await find(owner, id)) === undefined) return undefined;
      const rows = await store.of(owner).read("path", messageId, id, maxChars);
      return rows.length === 0 ? undefined : rows.map(toPathMessage);
    },
    async headPath(owner, id, maxChars) {
      const { version } = store.headMoves;
      const rows = await store.of(owner).read("headPath", id, owner, maxChars);
      const [first] = rows;
      if (first === undefined) return undefined;
      const { head_id: messageId } = first;
      if (typeof messageId !== "string") return { path: [], pathChars: 0, version };
      const path = first.id === null ? [] : rows.map(toPathMessage);
      const pathChars = path.at(-1)?.pathChars ?? (await charsTo(owner, id, messageId));
      return pathChars === undefined ? undefined : { messageId, path, pathChars, version };
    },
    async ofRequest(owner, id, requestId) {
      if ((await find(owner, id)) === undefined) return [];
      return (await store.of(owner).read("messagesOfRequest", id, requestId)).map((row) => toMessage(row));
    },
    async requests(owner, id, after) {
      const reader = store.of(owner);
      const isStart = after === "";
      if ((await find(owner, id)) === undefined) return after === undefined || isStart ? [] : undefined;
      if (after === undefined) return (await reader.read("newestRequest", id)).map(toRequestId);
      const [place] = isStart ? [{ number: 0 }] : await reader.read("placeOfRequest", id, after);
      if (place === undefined) return undefined;
      return (await reader.read("requestsAfter", id, Number(place.number))).map(toRequestId);
    },
    async disown(owner, id, requestId) {
      await store.of(owner).write([["disownMessages", id, requestId, owner]], true);
    },
    async append(owner, id, parentId, messages) {
      if ((await find(owner, id)) === undefined) return undefined;
      const pathChars = parentId === undefined ? 0 : await charsTo(owner, id, parentId);
      if (pathChars === undefined) return undefined;
      const place = { owner, conversationId: id, parentId, pathChars };
      const { ids, writes } = writesOfMessages(place, messages, clock);
      if (writes.length > 0) await store.of(owner).write(writes, true);
      return ids;
    },
    async moveHead(owner, id, messageId) {
      if ((await store.of(owner).read("findMessage", messageId, id)).length === 0) return;
      store.headMoves.note(id);
      await store.of(owner).write([["moveHead", messageId, clock.wallTimeMs(), id, owner]], true);
    },
    async list(owner, { limit, before }) {
      const end = before === undefined ? Number.MAX_SAFE_INTEGER : readPagePlace(before);
      const rows = await store.of(owner).read("listConversations", owner, end, limit + 1);
      const page = rows.slice(0, limit);
      const last = rows.length > limit ? page.at(-1) : undefined;
      return {
        conversations: page.map(toSummary),
        ...(last === undefined ? {} : { next: String(last.changed) }),
      };
    },
    async summary(owner, id) {
      const row = await find(owner, id);
      return row === undefined ? undefined : toSummary(row);
    },
    async messages(owner, id, maxBytes, from = { message: 0, offset: 0 }) {
      const rows = await store.of(owner).read("messagesFrom", id, from.message, from.offset, maxBytes, owner);
      if (rows.length === 0 && (await find(owner, id)) === undefined) return undefined;
      return toPage(rows, from);
    },
    async beginning(owner, id, messageId, maxChars) {
      if ((await find(owner, id)) === undefined) return undefined;
      const [row] = await store.of(owner).read("textBeginning", maxChars, messageId, id);
      // A character that was cut is after the end.
      return row === undefined ? undefined : bytesIn(row.beginning).toString().slice(0, maxChars);
    },
    async rename(owner, id, title) {
      if ((await find(owner, id)) === undefined) return false;
      await store.of(owner).write([["renameConversation", title, clock.wallTimeMs(), id, owner]], true);
      return true;
    },
    async remove(owner, id) {
      if ((await find(owner, id)) === undefined) return false;
      store.headMoves.note(id);
      await store.of(owner).write([["removeConversation", id, owner]], true);
      await eraser.erase(owner, id);
      return true;
    },
    async search(owner, query, limit) {
      if (searchTerms(query).length === 0) return [];
      // A search finds a message of an earlier version only after it is indexed.
      await indexing.caughtUp(searchLimitMs);
      const rows = await store.of(owner).run("search", searchLimitMs, owner, query, limit);
      return rows.map((row) => ({
        conversationId: String(row.conversation_id),
        messageId: String(row.id),
        title: String(row.title ?? ""),
        excerpt: String(row.excerpt),
      }));
    },
    [Symbol.dispose]() {
      eraser[Symbol.dispose]();
      indexing[Symbol.dispose]();
    },
  };
}

/** Columns and their optional fields; a column without a value gives no field. */
const optionalFields = [
  ["parent_id", "parentId"],
  ["persona_id", "personaId"],
  ["persona_name", "personaName"],
  ["request_id", "requestId"],
] as const;

function toMessage(row: Row, text = String(row.text)): StoredMessage {
  const present = optionalFields.filter(([column]) => typeof row[column] === "string");
  const items = typeof row.items === "string" ? itemsIn(row.items) : undefined;
  return {
    id: String(row.id),
    role: row.role === "assistant" ? "assistant" : "user",
    text,
    ...(items === undefined ? {} : { items }),
    status: row.status as StoredMessage["status"],
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

function toPathMessage(row: Row): PathMessage {
  const { path_chars: pathChars } = row;
  return { ...toMessage(row), ...(typeof pathChars === "number" ? { pathChars } : {}) };
}

const toRequestId = (row: Row) => String(row.request_id);

/** A binary value. SQLite returns `NULL` for one without bytes. */
function bytesIn(value: Value | undefined): Buffer {
  return Buffer.from(value instanceof Uint8Array ? value : []);
}

/** Makes a page of rows. The last row's text may be cut in the middle. */
function toPage(rows: readonly Row[], from: ReadingPlace): MessagePage {
  let next: ReadingPlace | undefined;
  const pieces = rows.map((row): MessagePiece => {
    const [number, bytes] = [Number(row.number), Number(row.bytes)];
    const offset = number === from.message ? from.offset : 0;
    const piece = bytesIn(row.piece);
    const isLast = piece.length === bytes;
    const whole = isLast ? piece : withoutCutCharacter(piece);
    if (!isLast) next = { message: number, offset: offset + whole.length };
    else if (number < Number(row.newest)) next = { message: number + 1, offset: 0 };
    else next = undefined;
    const message = { ...toMessage(row, whole.toString("utf8")), createdAtMs: Number(row.created_at_ms) };
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

function toSummary(row: Row): ConversationSummary {
  return {
    id: String(row.id),
    title: String(row.title ?? ""),
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
    ...(typeof row.head_id === "string" ? { headId: row.head_id } : {}),
  };
}
