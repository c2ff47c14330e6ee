import type { DatabaseSync } from "node:sqlite";

/**
 * The schema, step by step; a step is never changed once it was released, only followed by another. The file remembers in
 * `user_version` how many it has seen.
 */
const steps: readonly string[] = [
  `
  CREATE TABLE turns (
    number INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    conversation_id TEXT,
    created_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    -- The whole log of an ended turn, as JSON; what runs is in the journal.
    log TEXT,
    UNIQUE (owner, id)
  ) STRICT;
  CREATE INDEX turns_by_end ON turns (ended_at_ms);

  -- One row a beat holds what all running turns said in it. Only ever appended to and pruned at its old end.
  CREATE TABLE journal (
    beat INTEGER PRIMARY KEY,
    entries TEXT NOT NULL
  ) STRICT;

  CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    head_id TEXT,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX conversations_by_owner ON conversations (owner, updated_at_ms);

  CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    parent_id TEXT,
    request_id TEXT,
    role TEXT NOT NULL,
    persona_id TEXT,
    persona_name TEXT,
    text TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX messages_by_conversation ON messages (conversation_id, request_id);
  `,
];

/** The file was written by a newer version of the program, which this one must not touch. */
class NewerDatabaseError extends Error {
  override readonly name = "NewerDatabaseError";
}

/** Brings a database to this version's schema, each step in a transaction. Throws `NewerDatabaseError`. */
export function migrate(database: DatabaseSync): void {
  const row = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (row.user_version > steps.length) {
    throw new NewerDatabaseError(
      `the database has version ${row.user_version}, this program knows ${steps.length}: it was used by a newer Troupe`,
    );
  }
  for (let version = row.user_version; version < steps.length; version += 1) {
    database.exec(`BEGIN IMMEDIATE; ${steps[version]}; PRAGMA user_version = ${version + 1}; COMMIT;`);
  }
}
