import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { Clock } from "../../ports/clock.ts";
import type { ConversationStore, MessageMatch } from "../../ports/conversation-store.ts";
import { excerptOf, matchesTerms, searchTerms } from "../../ports/search-terms.ts";
import { placeBefore, titleFrom, toListPage, toPage, toSummary } from "../database/conversation-rows.ts";
import type { Row } from "../database/row.ts";
import { conversationStatements as statements } from "./conversation-statements.ts";
import { eraseConversation } from "./erase-removed.ts";
import { bytesIn, indexedRows, toPathMessage, toWholeMessage } from "./message-rows.ts";
import type { PostgresStore } from "./postgres-store.ts";
import { indexQuery } from "./search-words.ts";

interface PostgresConversationOptions {
  readonly store: PostgresStore;
  readonly clock: Clock;
}

/** A search that takes longer returns the messages found so far, milliseconds. */
const searchLimitMs = 2_000;

/**
 * Conversations in the database. Messages and heads are committed with the journal, because running turns write them. Deleted text is gone from
 * all reads at once, from the table when PostgreSQL has vacuumed it, and from its logs and backups when those expire.
 */
export function createPostgresConversations({
  store,
  clock,
}: PostgresConversationOptions): ConversationStore {
  const { query, queryInTurn } = store;

  async function find(owner: string, id: string, ask = query): Promise<Row | undefined> {
    return (await ask(owner, statements.findConversation, [id, owner]))[0];
  }

  /** Characters of the messages from the root to one; `undefined` if there is no such message. */
  async function charsTo(owner: string, id: string, messageId: string): Promise<number | undefined> {
    const [row] = await queryInTurn(owner, statements.findMessage, [messageId, id, owner]);
    return row === undefined ? undefined : Number(row.path_chars);
  }

  return {
    async create(owner, id = clock.newId()) {
      await query(owner, statements.createConversation, [id, owner, clock.wallTimeMs()]);
      return id;
    },
    async head(owner, id) {
      const row = await find(owner, id);
      if (row === undefined) return undefined;
      return typeof row.head_id === "string" ? { messageId: row.head_id } : {};
    },
    async path(owner, id, messageId, maxChars) {
      const rows = await query(owner, statements.path, [messageId, id, owner, maxChars]);
      return rows.length === 0 ? undefined : rows.map(toPathMessage);
    },
    async headPath(owner, id, maxChars) {
      const rows = await query(owner, statements.headPath, [id, owner, maxChars]);
      const [first] = rows;
      if (first === undefined) return undefined;
      const { head_id: messageId } = first;
      // The journal compares the head itself, so the moment of the read is of no use.
      if (typeof messageId !== "string") return { path: [], pathChars: 0, version: 0 };
      const path = first.id === null ? [] : rows.map(toPathMessage);
      const pathChars = path.at(-1)?.pathChars;
      return pathChars === undefined ? undefined : { messageId, path, pathChars, version: 0 };
    },
    async ofRequest(owner, id, requestId) {
      const rows = await query(owner, statements.messagesOfRequest, [id, owner, requestId]);
      return rows.map(toWholeMessage);
    },
    async requests(owner, id, after) {
      if (after === undefined)
        return (await query(owner, statements.newestRequest, [id, owner])).map(toRequestId);
      if ((await find(owner, id)) === undefined) return after === "" ? [] : undefined;
      const [place] =
        after === "" ? [{ number: 0 }] : await query(owner, statements.placeOfRequest, [id, after]);
      if (place === undefined || place.number === null) return undefined;
      return (await query(owner, statements.requestsAfter, [id, Number(place.number)])).map(toRequestId);
    },
    async disown(owner, id, requestId) {
      await queryInTurn(owner, statements.disownMessages, [id, requestId, owner, store.incarnation]);
    },
    async append(owner, id, parentId, messages) {
      if ((await find(owner, id, queryInTurn)) === undefined) return undefined;
      const pathChars = parentId === undefined ? 0 : await charsTo(owner, id, parentId);
      if (pathChars === undefined) return undefined;
      if (messages.length === 0) return [];
      const rows = await indexedRows(owner, { parentId, pathChars }, messages, clock);
      const atMs = clock.wallTimeMs();
      const place = { owner, conversationId: id, title: titleFrom(messages), headId: null, atMs };
      await store.commit({ kind: "messages", ...place, messages: rows }, true);
      return rows.map((row) => row.id);
    },
    async moveHead(owner, id, messageId) {
      if ((await charsTo(owner, id, messageId)) === undefined) return;
      const place = { owner, conversationId: id, title: null, headId: messageId, atMs: clock.wallTimeMs() };
      await store.commit({ kind: "messages", ...place, messages: [] }, true);
    },
    async list(owner, { limit, before }) {
      const values = [owner, placeBefore(before), limit + 1];
      return toListPage(await query(owner, statements.listConversations, values), limit);
    },
    async summary(owner, id) {
      const row = await find(owner, id);
      return row === undefined ? undefined : toSummary(row);
    },
    async messages(owner, id, maxBytes, from = { message: 0, offset: 0 }) {
      const values = [id, from.message, from.offset, maxBytes, owner];
      const rows = await query(owner, statements.messagesFrom, values);
      if (rows.length === 0 && (await find(owner, id)) === undefined) return undefined;
      return toPage(rows, from, bytesIn);
    },
    async beginning(owner, id, messageId, maxChars) {
      const values = [maxChars, messageId, id, owner];
      const [row] = await query(owner, statements.textBeginning, values);
      // A character that was cut is after the end.
      return row === undefined ? undefined : bytesIn(row).toString().slice(0, maxChars);
    },
    async rename(owner, id, title) {
      const values = [title, clock.wallTimeMs(), id, owner];
      return (await query(owner, statements.renameConversation, values)).length > 0;
    },
    async remove(owner, id) {
      const removed = await query(owner, statements.removeConversation, [id, owner, clock.newId()]);
      if (removed.length === 0) return false;
      // It is removed all the same: `retireRows` erases the rest.
      await eraseConversation(store, owner, id).catch(store.report);
      return true;
    },
    search: (owner, query, limit) => search({ store, clock }, owner, query, limit),
  };
}

const toRequestId = (row: Row) => String(row.request_id);

/** The index finds the messages that may match, and their texts decide. Only one text is in memory at a time. */
async function search(
  { store, clock }: PostgresConversationOptions,
  owner: string,
  query: string,
  limit: number,
): Promise<readonly MessageMatch[]> {
  const terms = searchTerms(query);
  const matches: MessageMatch[] = [];
  if (terms.length === 0) return matches;
  const endsAtMs = clock.now() + searchLimitMs;
  const words = indexQuery(owner, terms);
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const candidates = await store.query(owner, statements.candidates, [owner, words, before]);
    if (candidates.length === 0) return matches;
    for (const { number } of candidates) {
      before = Number(number);
      const [row] = await store.query(owner, statements.candidate, [before]);
      if (row === undefined) continue;
      const text = bytesIn(row).toString();
      if (!(await inPieces(matchesTerms(text, terms)))) continue;
      const [conversationId, messageId] = [String(row.conversation_id), String(row.id)];
      const excerpt = await inPieces(excerptOf(text, query));
      matches.push({ conversationId, messageId, title: String(row.title ?? ""), excerpt });
      if (matches.length === limit || clock.now() >= endsAtMs) return matches;
    }
  }
}

/** Runs steps to their result, with a turn of the event loop after each. */
async function inPieces<Result>(steps: Generator<undefined, Result>): Promise<Result> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await nextLoopTurn();
  }
}
