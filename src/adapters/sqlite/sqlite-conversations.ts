import type { Clock } from "../../ports/clock.ts";
import type { ConversationStore, StoredMessage } from "../../ports/conversation-store.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Row, Write } from "./statements.ts";

/** Conversations in the database. */
export function createSqliteConversations({
  store,
  clock,
}: {
  store: SqliteStore;
  clock: Clock;
}): ConversationStore {
  async function find(owner: string, id: string): Promise<Row | undefined> {
    return (await store.read("findConversation", id, owner))[0];
  }

  return {
    async create(owner) {
      const id = clock.newId();
      const nowMs = clock.wallTimeMs();
      await store.write([["createConversation", id, owner, nowMs, nowMs]], true);
      return id;
    },
    async head(owner, id) {
      const row = await find(owner, id);
      if (row === undefined) return undefined;
      return typeof row.head_id === "string" ? { messageId: row.head_id } : {};
    },
    async path(owner, id, messageId) {
      if ((await find(owner, id)) === undefined) return undefined;
      const rows = await store.read("path", messageId, id);
      return rows.length === 0 ? undefined : rows.map(toMessage);
    },
    async ofRequest(owner, id, requestId) {
      if ((await find(owner, id)) === undefined) return [];
      return (await store.read("messagesOfRequest", id, requestId)).map(toMessage);
    },
    async append(owner, id, parentId, messages) {
      if ((await find(owner, id)) === undefined) return undefined;
      if (parentId !== undefined && (await store.read("findMessage", parentId, id)).length === 0)
        return undefined;
      const nowMs = clock.wallTimeMs();
      let parent = parentId ?? null;
      const ids: string[] = [];
      const writes = messages.map((message): Write => {
        const { requestId = null, role, personaId = null, personaName = null, text, status } = message;
        const messageId = clock.newId();
        const write: Write = [
          "insertMessage",
          messageId,
          id,
          parent,
          requestId,
          role,
          personaId,
          personaName,
          text,
          status,
          nowMs,
        ];
        parent = messageId;
        ids.push(messageId);
        return write;
      });
      if (writes.length > 0) await store.write(writes, true);
      return ids;
    },
    async moveHead(owner, id, messageId) {
      if ((await store.read("findMessage", messageId, id)).length === 0) return;
      await store.write([["moveHead", messageId, clock.wallTimeMs(), id, owner]], true);
    },
  };
}

/** A row's columns and the fields that they are; a column without a value is a field that is not there. */
const optionalFields = [
  ["parent_id", "parentId"],
  ["persona_id", "personaId"],
  ["persona_name", "personaName"],
  ["request_id", "requestId"],
] as const;

function toMessage(row: Row): StoredMessage {
  const present = optionalFields.filter(([column]) => typeof row[column] === "string");
  return {
    id: String(row.id),
    role: row.role === "assistant" ? "assistant" : "user",
    text: String(row.text),
    status: row.status as StoredMessage["status"],
    ...Object.fromEntries(present.map(([column, field]) => [field, String(row[column])])),
  };
}
