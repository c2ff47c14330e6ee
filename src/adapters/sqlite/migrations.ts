import type { DatabaseSync } from "node:sqlite";
import { createSearchIndex } from "./search-index-schema.ts";

/**
 * The schema, step by step. A released step never changes; further steps follow it. The file counts the steps it has seen in
 * `user_version`.
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
    -- The journal holds no event of it outside these beats.
    first_beat INTEGER NOT NULL,
    last_beat INTEGER,
    -- The whole log of an ended turn, as JSON; a running turn is in the journal.
    log TEXT,
    UNIQUE (owner, id)
  ) STRICT;
  CREATE INDEX turns_by_end ON turns (ended_at_ms);
  CREATE INDEX turns_by_conversation ON turns (conversation_id);

  -- One row per beat holds the events of all running turns. Rows are appended at the new end and pruned at the old end.
  CREATE TABLE journal (
    beat INTEGER PRIMARY KEY,
    entries TEXT NOT NULL
  ) STRICT;

  CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    -- NULL: the conversation was deleted, and the rest of it is being erased.
    owner TEXT,
    title TEXT,
    head_id TEXT,
    -- Counts all changes of the owner's conversations; 0 before the first.
    changed INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX conversations_by_change ON conversations (owner, changed);

  CREATE TABLE messages (
    -- A column of its own, because the index of words refers to it: VACUUM may change a rowid that has no name.
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    parent_id TEXT,
    request_id TEXT,
    role TEXT NOT NULL,
    persona_id TEXT,
    persona_name TEXT,
    text TEXT NOT NULL,
    -- The text as searches compare it, if that differs by more than case.
    words TEXT,
    status TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX messages_by_conversation ON messages (conversation_id);
  CREATE INDEX messages_by_request ON messages (conversation_id, request_id);

  -- Stores no text, only the places of words. The owner is a word as well, so that a search reads only the owner's entries.
  CREATE VIRTUAL TABLE message_words USING fts5 (
    owner, words, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 0'
  );
  CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN
    INSERT INTO message_words (rowid, owner, words)
      VALUES (new.number, hex(new.owner), coalesce(new.words, new.text));
  END;
  CREATE TRIGGER message_removed AFTER DELETE ON messages BEGIN
    INSERT INTO message_words (message_words, rowid, owner, words)
      VALUES ('delete', old.number, hex(old.owner), coalesce(old.words, old.text));
  END;
  `,
  `
  CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO counters (name, value) VALUES
    -- The highest number that a turn ever had: a new turn must not get the journal entries of one that is gone.
    ('last_turn', max(
      (SELECT coalesce(max(number), 0) FROM turns),
      (SELECT coalesce(max(entry.value ->> 0), 0) FROM journal, json_each(journal.entries) AS entry)
    )),
    -- How long servers have run on this file, in milliseconds; from here on \`ended_at_ms\` is a moment of this time.
    ('served_ms', (SELECT coalesce(max(ended_at_ms), 0) FROM turns));
  CREATE TRIGGER turn_added AFTER INSERT ON turns BEGIN
    UPDATE counters SET value = max(value, new.number) WHERE name = 'last_turn';
  END;

  -- The rest of an ended turn when its log's time is over, as JSON; \`log\` is then NULL.
  ALTER TABLE turns ADD COLUMN answer TEXT;
  CREATE INDEX turns_with_log ON turns (ended_at_ms) WHERE log IS NOT NULL;
  `,
  // The request with which another process continues the turn, as JSON; deleted when the turn ends.
  `ALTER TABLE turns ADD COLUMN request TEXT;`,
  `
  -- One row for each lane that called a provider; later folded into sums.
  CREATE TABLE usage (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    key_id TEXT NOT NULL,
    request_id TEXT,
    lane TEXT,
    api TEXT NOT NULL,
    model TEXT NOT NULL,
    -- Days since 1970, UTC: the day whose budget pays for the call, which need not be the day of the clock.
    day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens INTEGER AS (input_tokens + output_tokens),
    estimated INTEGER NOT NULL,
    -- NULL: the call has not ended, and the figures are its reservation.
    outcome TEXT
  ) STRICT;
  CREATE INDEX usage_by_day ON usage (day);
  CREATE INDEX usage_by_owner ON usage (owner, day);
  CREATE INDEX usage_that_runs ON usage (number) WHERE outcome IS NULL;

  CREATE TABLE usage_days (
    owner TEXT NOT NULL,
    day INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    api TEXT NOT NULL,
    model TEXT NOT NULL,
    calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    PRIMARY KEY (owner, day, key_id, api, model)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    -- The digest of the key, which itself is not stored; NULL once it is revoked.
    digest TEXT UNIQUE,
    owner TEXT NOT NULL,
    name TEXT,
    created_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER,
    connections INTEGER,
    requests_per_minute INTEGER,
    requests_in_flight INTEGER,
    tokens_per_day INTEGER
  ) STRICT;
  `,
  `
  -- The vendor's ids and the owners for whom the vendor made them. \`noted_at_ms\` is a moment of \`served_ms\`.
  CREATE TABLE vendor_ids (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    noted_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX vendor_ids_by_age ON vendor_ids (noted_at_ms);
  -- Responses of stored turns can be continued as before.
  INSERT OR REPLACE INTO vendor_ids (id, owner, noted_at_ms)
    SELECT response_id, owner, ended_at_ms FROM (
      SELECT coalesce(answer ->> '$.terminal.answer.response.id', log ->> '$[#-1].answer.response.id') AS response_id,
        owner, ended_at_ms, number FROM turns WHERE conversation_id IS NULL AND ended_at_ms IS NOT NULL
    ) WHERE typeof(response_id) = 'text' AND length(response_id) BETWEEN 1 AND 256 ORDER BY number;
  `,
  // `index-blocks.ts` deletes the earlier index in parts and puts its messages into the new one in parts.
  `
  DROP TRIGGER message_added;
  DROP TRIGGER message_removed;
  INSERT INTO counters (name, value) VALUES ('to_index', (SELECT coalesce(max(number), 0) FROM messages));
  ${createSearchIndex("")}
  `,
  `
  -- The numbers of its log start after this one: earlier numbers belong to the attempts that the turn repeats.
  ALTER TABLE turns ADD COLUMN after_seq INTEGER NOT NULL DEFAULT 0;
  `,
  // Characters of all texts from the root to the message: they decide where a long history is cut.
  `ALTER TABLE messages ADD COLUMN path_chars INTEGER;`,
  // A lane may make several calls: the number of the call in its lane, from 0.
  `ALTER TABLE usage ADD COLUMN call INTEGER NOT NULL DEFAULT 0;`,
  `
  -- The version of the shapes (\`ports/stored-version.ts\`) in \`request\`, \`log\` and \`answer\`, and in \`entries\`.
  ALTER TABLE turns ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE journal ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
  `,
  // The message as items (`ports/item.ts`), as JSON, if it is more than its text.
  `ALTER TABLE messages ADD COLUMN items TEXT;`,
  `
  -- Responses with their items (\`ports/item.ts\`), so that any provider can continue them. \`kept_at_ms\` is a moment of \`served_ms\`.
  CREATE TABLE responses (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    previous TEXT,
    items TEXT NOT NULL,
    version INTEGER NOT NULL,
    kept_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX responses_by_age ON responses (kept_at_ms);
  `,
  `
  -- The cost of a call in US dollars; NULL: it is not known. Earlier versions recorded none.
  ALTER TABLE usage ADD COLUMN cost_usd REAL;
  ALTER TABLE usage ADD COLUMN cost_approximate INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE usage ADD COLUMN conversation_id TEXT;
  -- The sum of the known costs, and the number of calls that have one.
  ALTER TABLE usage_days ADD COLUMN cost_usd REAL NOT NULL DEFAULT 0;
  ALTER TABLE usage_days ADD COLUMN cost_approximate INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE usage_days ADD COLUMN costed_calls INTEGER NOT NULL DEFAULT 0;
  `,
  // A client has stopped the turn, and its end is not stored yet.
  `ALTER TABLE turns ADD COLUMN stopped INTEGER NOT NULL DEFAULT 0;`,
  // The personas whose lanes a client has stopped, as a JSON array, until the turn's end is stored.
  `ALTER TABLE turns ADD COLUMN stopped_personas TEXT;`,
];

/** A newer version of the program wrote the file, and this one must not touch it. */
class NewerDatabaseError extends Error {
  override readonly name = "NewerDatabaseError";
}

/** Brings a database to this version's schema, or to an earlier `target`, each step in a transaction. Throws `NewerDatabaseError`. */
export function migrate(database: DatabaseSync, target = steps.length): void {
  const row = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (row.user_version > steps.length) {
    throw new NewerDatabaseError(
      `${database.location()} has version ${row.user_version}, this program knows ${steps.length}: it was used by a newer Troupe`,
    );
  }
  for (let version = row.user_version; version < target; version += 1) {
    database.exec(`BEGIN IMMEDIATE; ${steps[version]}; PRAGMA user_version = ${version + 1}; COMMIT;`);
  }
}
