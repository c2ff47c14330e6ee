import type { DatabaseSync } from "node:sqlite";
import { attacker } from "./attack.ts";

/** Writes a conversation of these messages for the attacker, as the server would have stored it. */
export function fillConversation(
  database: DatabaseSync,
  { id, messages }: { readonly id: string; readonly messages: Iterable<string> },
): void {
  const nowMs = Date.now();
  database.exec("BEGIN");
  database
    .prepare(
      `INSERT INTO conversations (id, owner, title, head_id, changed, created_at_ms, updated_at_ms)
       VALUES (?, ?, 'filled', NULL, 1, ?, ?)`,
    )
    .run(id, attacker, nowMs, nowMs);
  const insert = database.prepare(
    `INSERT INTO messages (id, conversation_id, owner, parent_id, role, text, status, created_at_ms)
     VALUES (?, ?, ?, ?, 'user', ?, 'completed', ?)`,
  );
  let parent: string | null = null;
  let place = 0;
  for (const text of messages) {
    const messageId: string = `${id}-${place++}`;
    insert.run(messageId, id, attacker, parent, text, nowMs + place);
    parent = messageId;
  }
  database.prepare("UPDATE conversations SET head_id = ? WHERE id = ?").run(parent, id);
  database.exec("COMMIT");
}

/** Yields a text of one megabyte `count` times. */
export function* megabytes(count: number): Generator<string> {
  const text = "words ".repeat(166_667).slice(0, 1_000_000);
  for (let made = 0; made < count; made += 1) yield text;
}
