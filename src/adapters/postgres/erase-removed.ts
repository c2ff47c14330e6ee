import { named, type Statement } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";

/** Rows of one statement, which must end within the timeout of statements. */
const rowsAtOnce = 1_000;

const statements = named({
  // The remover of a moment ago erases its own, and may still send its statement again.
  removedConversations: `SELECT id FROM conversations
    WHERE owner IS NULL AND id > $1 AND (removed_at IS NULL OR removed_at < clock_timestamp() - interval '1 minute')
    ORDER BY id LIMIT 100`,
  eraseMessages: `DELETE FROM messages WHERE number IN (
    SELECT number FROM messages WHERE conversation_id = $1 LIMIT ${rowsAtOnce}) RETURNING 1`,
  eraseTurns: `WITH due AS (
      SELECT number FROM turns WHERE conversation_id = $1 AND ended_ms IS NOT NULL LIMIT ${rowsAtOnce} FOR UPDATE),
    gone AS (DELETE FROM events WHERE turn IN (SELECT number FROM due))
    DELETE FROM turns WHERE number IN (SELECT number FROM due) RETURNING 1`,
  // It shows the next look that turns which run now must be erased after their end.
  eraseConversation: `DELETE FROM conversations WHERE id = $1 AND owner IS NULL
    AND NOT EXISTS (SELECT 1 FROM turns WHERE conversation_id = $1)`,
});

type Query = Pick<PostgresStore, "query">;

/** Erases the content of a removed conversation, and its row unless turns still run in it. */
export async function eraseConversation(store: Query, owner: string, id: string): Promise<void> {
  const repeat = async (statement: Statement) => {
    while ((await store.query(owner, statement, [id])).length === rowsAtOnce);
  };
  await repeat(statements.eraseMessages);
  await repeat(statements.eraseTurns);
  await store.query(owner, statements.eraseConversation, [id]);
}

/** Erases the rest of all removed conversations: their removers are gone, the database was away meanwhile, or turns still ran in them. */
export async function eraseRemoved(store: Query, signal: AbortSignal): Promise<void> {
  for (let last = ""; !signal.aborted; ) {
    const rows = await store.query("", statements.removedConversations, [last]);
    if (rows.length === 0) return;
    for (const { id } of rows) {
      last = String(id);
      if (!signal.aborted) await eraseConversation(store, "", last);
    }
  }
}
