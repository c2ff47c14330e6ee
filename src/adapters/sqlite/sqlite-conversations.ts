import type { Clock } from "../../ports/clock.ts";
import {
  type ConversationStore,
  charsOf,
  type NewMessage,
  type PathMessage,
  type TurnQuestion,
} from "../../ports/conversation-store.ts";
import { searchTerms } from "../../ports/search-terms.ts";
import type { TurnRecord } from "../../ports/turn-log.ts";
import {
  placeBefore,
  rowsOfMessages,
  titleFrom,
  toListPage,
  toMessage,
  toPage,
  toSummary,
} from "../database/conversation-rows.ts";
import { createEraser } from "./erase-removed.ts";
import { indexBlocks } from "./index-blocks.ts";
import type { HeadMoves, SqliteStore } from "./sqlite-store.ts";
import type { Row, Value, Write } from "./statements.ts";

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
    return path.reduce((chars, row) => chars + charsOf(toWholeMessage(row)), 0);
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
      return (await store.of(owner).read("messagesOfRequest", id, requestId)).map(toWholeMessage);
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
      const rows = await store.of(owner).read("listConversations", owner, placeBefore(before), limit + 1);
      return toListPage(rows, limit);
    },
    async summary(owner, id) {
      const row = await find(owner, id);
      return row === undefined ? undefined : toSummary(row);
    },
    async messages(owner, id, maxBytes, from = { message: 0, offset: 0 }) {
      const rows = await store.of(owner).read("messagesFrom", id, from.message, from.offset, maxBytes, owner);
      if (rows.length === 0 && (await find(owner, id)) === undefined) return undefined;
      return toPage(rows, from, ({ piece }) => bytesIn(piece));
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

const toWholeMessage = (row: Row) => toMessage(row, String(row.text));

function toPathMessage(row: Row): PathMessage {
  const { path_chars: pathChars } = row;
  return { ...toWholeMessage(row), ...(typeof pathChars === "number" ? { pathChars } : {}) };
}

const toRequestId = (row: Row) => String(row.request_id);

/** A binary value. SQLite returns `NULL` for one without bytes. */
function bytesIn(value: Value | undefined): Buffer {
  return Buffer.from(value instanceof Uint8Array ? value : []);
}

/** The place of new messages in a conversation. */
interface MessagePlace {
  readonly owner: string;
  readonly conversationId: string;
  /** The message that the first one follows. */
  readonly parentId: string | undefined;
  /** Characters of all messages from the root to that one. */
  readonly pathChars: number;
}

/** The writes that store a chain of messages, and their ids in order. */
function writesOfMessages(
  { owner, conversationId, parentId, pathChars }: MessagePlace,
  messages: readonly Omit<NewMessage, "parentId">[],
  clock: Pick<Clock, "newId" | "wallTimeMs">,
): { readonly ids: readonly string[]; readonly writes: readonly Write[] } {
  const rows = rowsOfMessages({ parentId, pathChars }, messages, clock);
  const writes = rows.map(
    (row): Write => [
      "insertMessage",
      ...[row.id, row.parentId, row.requestId, row.role, row.personaId, row.personaName, row.text, row.items],
      ...[row.status, row.atMs, row.pathChars, conversationId, owner],
    ],
  );
  const [first] = rows;
  if (first !== undefined)
    writes.push(["addedTo", titleFrom(messages) ?? "", first.atMs, conversationId, owner]);
  return { ids: rows.map(({ id }) => id), writes };
}

/** The writes that store a turn's question, after those of a new conversation. `undefined` if its place is no longer the head. */
export function writesOfQuestion(
  { owner, id: requestId, conversationId = "" }: TurnRecord,
  { under, ...asked }: TurnQuestion,
  { clock, headMoves }: { readonly clock: Clock; readonly headMoves: HeadMoves },
): readonly Write[] | undefined {
  if (under !== undefined && headMoves.hasMovedSince(under.version, conversationId)) return undefined;
  const { messageId: parentId, pathChars } = under ?? { pathChars: 0 };
  const nowMs = clock.wallTimeMs();
  const begins: readonly Write[] =
    under === undefined ? [["createConversation", conversationId, owner, nowMs, nowMs]] : [];
  const place = { owner, conversationId, parentId, pathChars };
  const { writes } = writesOfMessages(
    place,
    [{ ...asked, role: "user", status: "completed", requestId }],
    clock,
  );
  return [...begins, ...writes];
}
