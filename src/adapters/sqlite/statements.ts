/** Every statement that the store runs, by name: the worker prepares each once, the other side only names them. */
export const statements = {
  // A row in the way is of a turn that is not found any more; refusing it would undo the whole beat of all turns.
  beginTurn: `INSERT OR REPLACE INTO turns (number, owner, id, content_hash, conversation_id, created_at_ms) VALUES (?, ?, ?, ?, ?, ?)`,
  endTurn: `UPDATE turns SET ended_at_ms = ?, log = ? WHERE number = ?`,
  findTurn: `SELECT number, owner, id, content_hash, conversation_id, log FROM turns WHERE owner = ? AND id = ? AND ended_at_ms > ?`,
  runningTurns: `SELECT number, owner, id, content_hash, conversation_id FROM turns WHERE ended_at_ms IS NULL`,
  lastTurn: `SELECT coalesce(max(number), 0) AS last FROM turns`,
  forgetTurns: `DELETE FROM turns WHERE ended_at_ms <= ?`,

  journal: `INSERT INTO journal (beat, entries) VALUES (?, ?)`,
  journalFrom: `SELECT beat, entries FROM journal WHERE beat > ? ORDER BY beat LIMIT 1000`,
  lastBeat: `SELECT coalesce(max(beat), 0) AS last FROM journal`,
  pruneJournal: `DELETE FROM journal WHERE beat < ?`,

  createConversation: `INSERT INTO conversations (id, owner, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?)`,
  findConversation: `SELECT head_id FROM conversations WHERE id = ? AND owner = ?`,
  moveHead: `UPDATE conversations SET head_id = ?, updated_at_ms = ? WHERE id = ? AND owner = ?`,
  insertMessage: `INSERT INTO messages (id, conversation_id, parent_id, request_id, role, persona_id, persona_name, text, status, created_at_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  findMessage: `SELECT 1 FROM messages WHERE id = ? AND conversation_id = ?`,
  messagesOfRequest: `SELECT * FROM messages WHERE conversation_id = ? AND request_id = ? ORDER BY rowid`,
  path: `WITH RECURSIVE path (id, parent, depth) AS (
      SELECT id, parent_id, 0 FROM messages WHERE id = ? AND conversation_id = ?
      UNION ALL
      SELECT messages.id, messages.parent_id, depth + 1 FROM messages JOIN path ON messages.id = path.parent
    ) SELECT messages.* FROM path JOIN messages USING (id) ORDER BY depth DESC`,
} as const;

export type StatementName = keyof typeof statements;
export type Value = string | number | null;
/** A statement with its values. */
export type Write = readonly [name: StatementName, ...values: Value[]];
export type Row = Readonly<Record<string, Value>>;

/** What the store asks its worker. */
export type WorkerRequest =
  | { readonly call: number; readonly type: "commit"; readonly writes: readonly Write[] }
  | {
      readonly call: number;
      readonly type: "read";
      readonly name: StatementName;
      readonly values: readonly Value[];
    }
  | { readonly call: number; readonly type: "close" };

/** What the worker answers; `ready` comes first, or an error without a call. */
export type WorkerReply =
  | { readonly type: "ready" }
  | { readonly type: "done"; readonly call: number; readonly rows: readonly Row[] }
  | { readonly type: "error"; readonly call?: number; readonly name: string; readonly message: string };
