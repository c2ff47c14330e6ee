import { storedVersion } from "../../ports/stored-version.ts";
import { searchStatements } from "./search-statements.ts";
import { usageStatements } from "./usage-statements.ts";

/** The end of an update of a conversation. Lists are ordered by `changed`, a counter, because wall clocks can be set. */
const change = `updated_at_ms = ?, changed = (SELECT max(changed) FROM conversations WHERE owner = it.owner) + 1
    WHERE id = ? AND owner = ?`;

/** The size of the text in an ended turn's row, bytes. */
const turnBytes = "coalesce(octet_length(log), 0) + coalesce(octet_length(answer), 0)";

/** The size of a message in a path (`charsOf`), in SQLite's characters. */
const messageChars = "length(text) + coalesce(length(items), 0)";

/** Every statement that the store runs, by name. The worker prepares each once; the store sends only the name. */
export const statements = {
  ...usageStatements,
  ...searchStatements,

  // An existing row is of a turn that can no longer be found; a refusal would undo the whole beat of all turns.
  beginTurn: `INSERT OR REPLACE INTO turns (number, owner, id, content_hash, conversation_id, created_at_ms, after_seq, request, version, first_beat)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ${storedVersion}, (SELECT coalesce(max(beat), 0) + 1 FROM journal))`,
  // Under its new id no request finds the turn; it is deleted with its conversation or when its time is over. Its own end may not be
  // written yet.
  replaceTurn: `UPDATE turns SET id = id || ' ' || number, request = NULL, ended_at_ms = coalesce(ended_at_ms, ?),
      last_beat = coalesce(last_beat, (SELECT max(beat) FROM journal))
    WHERE owner = ? AND id = ?`,
  endTurn: `UPDATE turns SET ended_at_ms = ?, log = ?, request = NULL, stopped_personas = NULL, version = ${storedVersion}, last_beat = (SELECT max(beat) FROM journal)
    WHERE number = ?`,
  findTurn: `SELECT number, owner, id, content_hash, conversation_id, after_seq, ended_at_ms FROM turns
    WHERE owner = ? AND id = ? AND ended_at_ms > ?`,
  endedTurn: `SELECT number, log, answer, after_seq, version FROM turns WHERE number = ? AND ended_at_ms IS NOT NULL`,
  runningTurns: `SELECT number, owner, id, content_hash, conversation_id, after_seq, request, version, stopped, stopped_personas FROM turns WHERE ended_at_ms IS NULL`,
  stopTurn: `UPDATE turns SET stopped = 1 WHERE number = ? AND ended_at_ms IS NULL`,
  stopPersona: `UPDATE turns SET stopped_personas = json_insert(coalesce(stopped_personas, '[]'), '$[#]', ?2)
    WHERE number = ?1 AND ended_at_ms IS NULL`,
  // SQLite knows the sizes without reading the logs.
  turnsToCompact: `SELECT number, octet_length(log) AS bytes FROM turns WHERE log IS NOT NULL AND ended_at_ms <= ?
    AND version <= ${storedVersion} LIMIT 100`,
  // An unreadable log is kept as it is until the answer's time is over. It is no answer either, so its readers are told the same.
  compactTurn: `UPDATE turns SET answer = coalesce(compacted(log, after_seq), log), log = NULL WHERE number = ?`,
  turnsToForget: `SELECT number, ${turnBytes} AS bytes FROM turns WHERE ended_at_ms <= ? LIMIT 100`,
  forgetTurn: `DELETE FROM turns WHERE number = ?`,
  // The newest turn of each conversation in the next 500 ended turns.
  conversationsOfTurns: `SELECT max(number) AS number, owner, conversation_id,
      EXISTS (SELECT 1 FROM conversations WHERE id = conversation_id AND owner = ended.owner) AS is_kept
    FROM (SELECT number, owner, conversation_id FROM turns
      WHERE number > ? AND conversation_id IS NOT NULL AND ended_at_ms IS NOT NULL ORDER BY number LIMIT 500) AS ended
    GROUP BY owner, conversation_id ORDER BY number`,
  endedTurnsIn: `SELECT number, first_beat, last_beat, ${turnBytes} AS bytes FROM turns
    WHERE conversation_id = ?2 AND owner = ?1 AND ended_at_ms IS NOT NULL AND number > ?3 ORDER BY number LIMIT 1000`,

  counter: `SELECT value FROM counters WHERE name = ?`,
  keepServedTime: `UPDATE counters SET value = max(value, ?) WHERE name = 'served_ms'`,
  pages: `SELECT page_count AS pages, freelist_count AS free FROM pragma_page_count, pragma_freelist_count`,
  giveBackPages: `PRAGMA incremental_vacuum (256)`,

  journal: `INSERT INTO journal (beat, entries, version) VALUES (?, ?, ${storedVersion})`,
  // As much as a busy beat writes, so that storage with less room does not count as working.
  probe: `INSERT INTO journal (beat, entries) VALUES (-1, printf('%*s', 262144, ''))`,
  endProbe: `DELETE FROM journal WHERE beat = -1`,
  journalFrom: `SELECT beat, entries, version FROM journal WHERE beat > ? ORDER BY beat LIMIT 1000`,
  lastBeat: `SELECT coalesce(max(beat), 0) AS last FROM journal`,
  // A few at a time, because deleted rows are overwritten: 60 beats or 4 MB take 12 ms (measured).
  pruneJournal: `DELETE FROM journal WHERE beat < ? AND beat <= coalesce((
      SELECT max(beat) FROM (
        SELECT beat, sum(bytes) OVER (ORDER BY beat) AS bytes
        FROM (SELECT beat, octet_length(entries) AS bytes FROM journal ORDER BY beat LIMIT 60)
      ) WHERE bytes <= 4000000
    ), (SELECT min(beat) FROM journal))`,
  firstBeat: `SELECT min(beat) AS first FROM journal`,
  beatsBetween: `SELECT beat, octet_length(entries) AS bytes FROM journal WHERE beat BETWEEN ? AND ? ORDER BY beat LIMIT 500`,
  eraseFromBeat: `UPDATE journal SET entries = without_turns(entries, ?1) WHERE beat = ?2 AND holds_turns(entries, ?1)`,

  createConversation: `INSERT INTO conversations (id, owner, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?)`,
  findConversation: `SELECT * FROM conversations WHERE id = ? AND owner = ?`,
  listConversations: `SELECT * FROM conversations WHERE owner = ? AND changed > 0 AND changed < ? ORDER BY changed DESC LIMIT ?`,
  addedTo: `UPDATE conversations AS it SET title = coalesce(title, nullif(?, '')), ${change}`,
  moveHead: `UPDATE conversations AS it SET head_id = ?, ${change}`,
  renameConversation: `UPDATE conversations AS it SET title = ?, ${change}`,

  // Stores nothing if the conversation was deleted meanwhile: an error would undo the whole beat of all turns.
  insertMessage: `INSERT INTO messages (id, parent_id, request_id, role, persona_id, persona_name, text, items, status, created_at_ms, path_chars, conversation_id, owner)
    SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, id, owner FROM conversations WHERE id = ? AND owner = ?`,
  findMessage: `SELECT path_chars FROM messages WHERE id = ? AND conversation_id = ?`,
  messagesOfRequest: `SELECT * FROM messages WHERE conversation_id = ? AND request_id = ? ORDER BY number`,
  newestRequest: `SELECT request_id FROM messages WHERE conversation_id = ? AND role = 'user' AND request_id IS NOT NULL
    ORDER BY number DESC LIMIT 1`,
  placeOfRequest: `SELECT number FROM messages WHERE conversation_id = ? AND request_id = ? AND role = 'user'
    ORDER BY number LIMIT 1`,
  requestsAfter: `SELECT request_id FROM messages WHERE conversation_id = ? AND number > ? AND role = 'user'
    AND request_id IS NOT NULL ORDER BY number`,
  disownMessages: `UPDATE messages SET request_id = NULL
    WHERE conversation_id = ? AND request_id = ? AND owner = ? AND role = 'assistant'`,
  // SQLite counts at most as many characters in a text as JavaScript does, so no message that fits is left out.
  path: `WITH RECURSIVE path (id, parent, depth, chars) AS (
      SELECT id, parent_id, 0, ${messageChars} FROM messages WHERE id = ? AND conversation_id = ?
      UNION ALL
      SELECT messages.id, messages.parent_id, depth + 1, chars + ${messageChars}
      FROM messages JOIN path ON messages.id = path.parent WHERE chars = 0 OR chars + ${messageChars} <= ?
    ) SELECT messages.* FROM path JOIN messages USING (id) ORDER BY depth DESC`,
  // The same from the head. A conversation without a head gives one row without a message.
  headPath: `WITH RECURSIVE head (id) AS (SELECT head_id FROM conversations WHERE id = ?1 AND owner = ?2),
    path (id, parent, depth, chars) AS (
      SELECT messages.id, messages.parent_id, 0, ${messageChars} FROM head JOIN messages ON messages.id = head.id AND conversation_id = ?1
      UNION ALL
      SELECT messages.id, messages.parent_id, depth + 1, chars + ${messageChars}
      FROM messages JOIN path ON messages.id = path.parent WHERE chars = 0 OR chars + ${messageChars} <= ?3
    ) SELECT head.id AS head_id, messages.*
    FROM head LEFT JOIN path ON true LEFT JOIN messages ON messages.id = path.id ORDER BY depth DESC`,
  // SQLite knows the sizes without reading the texts. Texts are cut by bytes, because a cut by characters reads all characters before it.
  messagesFrom: `WITH sized AS (SELECT number, octet_length(text) - iif(number = ?2, ?3, 0) AS bytes FROM messages
      WHERE conversation_id = ?1 AND number >= ?2 AND EXISTS (SELECT 1 FROM conversations WHERE id = ?1 AND owner = ?5)
      ORDER BY number LIMIT 101),
    summed AS (SELECT number, bytes, sum(bytes) OVER (ORDER BY number) AS through, max(number) OVER () AS newest FROM sized)
    SELECT number, newest, bytes, id, parent_id, request_id, role, persona_id, persona_name, status, created_at_ms,
      substr(CAST(text AS BLOB), iif(number = ?2, ?3, 0) + 1, ?4) AS piece
    FROM summed JOIN messages USING (number) WHERE through <= ?4 OR through = bytes ORDER BY number LIMIT 100`,
  // As bytes, because SQLite's functions for text stop at U+0000. A character has at most four.
  textBeginning: `SELECT substr(CAST(text AS BLOB), 1, 4 * ?) AS beginning FROM messages WHERE id = ? AND conversation_id = ?`,
  removeConversation: `UPDATE conversations SET owner = NULL, title = NULL WHERE id = ? AND owner = ?`,
  removedConversations: `SELECT id, EXISTS (SELECT 1 FROM messages WHERE conversation_id = conversations.id) AS has_messages
    FROM conversations WHERE owner IS NULL`,
  messagesToErase: `SELECT number, octet_length(text) + coalesce(octet_length(words), 0) + coalesce(octet_length(items), 0) AS bytes FROM messages
    WHERE conversation_id = ? LIMIT 100`,
  eraseMessage: `DELETE FROM messages WHERE number = ?`,
  eraseConversation: `DELETE FROM conversations WHERE id = ? AND owner IS NULL`,
  noteVendorId: `INSERT OR REPLACE INTO vendor_ids (id, owner, noted_at_ms) VALUES (?, ?, ?)`,
  ownVendorId: `SELECT 1 FROM vendor_ids WHERE id = ? AND owner = ? AND noted_at_ms > ?`,
  dropOldVendorIds: `DELETE FROM vendor_ids
    WHERE id IN (SELECT id FROM vendor_ids WHERE noted_at_ms <= ? ORDER BY noted_at_ms LIMIT 4)`,
  keepResponse: `INSERT OR REPLACE INTO responses (id, owner, previous, items, version, kept_at_ms) VALUES (?, ?, ?, ?, ?, ?)`,
  // Reads no more once the rows before have enough characters.
  responseChain: `WITH RECURSIVE chain (id, depth, chars) AS (
      SELECT id, 0, length(items) FROM responses WHERE id = ?3 AND owner = ?1 AND kept_at_ms > ?2
      UNION ALL
      SELECT r.id, depth + 1, chars + length(r.items)
      FROM chain JOIN responses c ON c.id = chain.id JOIN responses r ON r.id = c.previous AND r.owner = ?1 AND r.kept_at_ms > ?2
      WHERE chars < ?4 AND depth < ?5 - 1
    ) SELECT previous, items, version FROM chain JOIN responses USING (id) ORDER BY depth`,
  responsesToForget: `SELECT rowid AS number, octet_length(items) AS bytes FROM responses WHERE kept_at_ms <= ? LIMIT 100`,
  forgetResponse: `DELETE FROM responses WHERE rowid = ?`,

  createKey: `INSERT INTO keys (id, digest, owner, name, created_at_ms, connections, requests_per_minute, requests_in_flight, tokens_per_day)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  listKeys: `SELECT * FROM keys ORDER BY rowid`,
  findKey: `SELECT * FROM keys WHERE digest = ?`,
  findKeyById: `SELECT * FROM keys WHERE id = ? AND revoked_at_ms IS NULL`,
  revokeKey: `UPDATE keys SET digest = NULL, revoked_at_ms = ? WHERE id = ?`,
} as const;

export type StatementName = keyof typeof statements;
export type Value = string | number | null | Uint8Array;
/** A statement with its values. */
export type Write = readonly [name: StatementName, ...values: Value[]];
/** A statement that returns rows, with its values. */
export type Read = Write;
export type Row = Readonly<Record<string, Value>>;

/** Work that is done in slices. */
export type JobName = "search" | "wordsOfBlock";

/** A request from the store to its worker. */
export type WorkerRequest =
  | { readonly call: number; readonly type: "commit"; readonly writes: readonly Write[] }
  | { readonly call: number; readonly type: "read"; readonly reads: readonly Read[] }
  | {
      readonly call: number;
      readonly type: "job";
      readonly name: JobName;
      readonly values: readonly Value[];
    }
  | { readonly call: number; readonly type: "goOn" | "stop"; readonly job: number }
  // Returns the damage on the disk as one row, or no row.
  | { readonly call: number; readonly type: "check" }
  | { readonly call: number; readonly type: "close" };

/** A reply of the worker. The first one is `ready`, or an `error` without `call`. */
export type WorkerReply =
  | { readonly type: "ready"; readonly damages: readonly string[] }
  | {
      readonly type: "done";
      readonly call: number;
      readonly rows: readonly Row[];
      readonly job?: number;
      /** The rows of each read, of a call that reads. */
      readonly found?: readonly (readonly Row[])[];
    }
  | {
      readonly type: "error";
      readonly call?: number;
      readonly name: string;
      readonly message: string;
      /** SQLite's result code. */
      readonly errcode?: number;
    };
