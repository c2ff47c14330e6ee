import type { ClientBase } from "pg";
import { attemptColumns } from "./attempt-columns.ts";
import { statementTimeout } from "./connection.ts";
import { DatabaseFault, isLockTimeout } from "./database-faults.ts";
import { sharedPurses } from "./purse-schema.ts";
import { usageCostColumns } from "./usage-cost-columns.ts";

/** One step of the schema. */
interface Step {
  readonly sql: string;
  /**
   * The number of steps that a program must know to use the database after this one. A step that only adds keeps the number of the step
   * before it, so that the release before goes on beside this one. A step that removes comes one release later and raises it.
   */
  readonly needs: number;
}

/** The schema, step by step. A released step never changes; further steps follow it. */
export const steps: readonly Step[] = [
  {
    needs: 1,
    sql: `
    CREATE SEQUENCE incarnations;
    -- Orders the changes of conversations.
    CREATE SEQUENCE changes;
    CREATE TABLE counters (name text PRIMARY KEY, value bigint NOT NULL);

    -- One row for each process that writes to the journal. Each statement of the journal counts \`sent\` up, and the row is deleted when
    -- another process takes over.
    CREATE TABLE fences (
      incarnation bigint NOT NULL,
      line int NOT NULL,
      nonce bigint NOT NULL,
      sent bigint NOT NULL,
      PRIMARY KEY (incarnation, line)
    ) WITH (fillfactor = 50);

    CREATE TABLE turns (
      number bigint PRIMARY KEY,
      owner text NOT NULL,
      id text NOT NULL,
      content_hash text NOT NULL,
      conversation_id text,
      began_ms bigint NOT NULL,
      -- The numbers of its log start after this one: earlier numbers belong to the attempts that the turn repeats.
      after_seq int NOT NULL,
      -- The incarnation that runs it; NULL once it has ended.
      node bigint,
      -- The request with which another process continues it, as JSON, until its end.
      request text,
      -- The version of the shapes in \`request\` and \`answer\` (\`ports/stored-version.ts\`).
      version smallint NOT NULL,
      -- A moment of \`served_ms\`.
      ended_ms bigint,
      -- The compacted log of an ended turn, as JSON.
      answer text,
      -- Its events are still stored.
      has_log boolean NOT NULL DEFAULT true,
      UNIQUE (owner, id)
    ) WITH (fillfactor = 80);
    CREATE INDEX turns_that_run ON turns (node) WHERE node IS NOT NULL;
    CREATE INDEX turns_by_conversation ON turns (conversation_id) WHERE conversation_id IS NOT NULL;
    CREATE INDEX turns_by_end ON turns (ended_ms) WHERE ended_ms IS NOT NULL;
    CREATE INDEX turns_with_log ON turns (ended_ms) WHERE ended_ms IS NOT NULL AND has_log;

    -- One row for each turn and beat. A row of checkpoints alone has the number of the event before it, and a \`part\` from 1.
    CREATE TABLE events (
      turn bigint NOT NULL,
      first_seq int NOT NULL,
      part int NOT NULL,
      version smallint NOT NULL,
      -- JSON as text: jsonb refuses U+0000, and with it the whole beat.
      steps text NOT NULL,
      PRIMARY KEY (turn, first_seq, part)
    );

    CREATE TABLE conversations (
      id text PRIMARY KEY,
      -- NULL: it was deleted, and the rest of it is being deleted.
      owner text,
      title text,
      head_id text,
      -- The number of its last change; 0 before the first.
      changed bigint NOT NULL DEFAULT 0,
      created_at_ms bigint NOT NULL,
      updated_at_ms bigint NOT NULL
    ) WITH (fillfactor = 80);
    CREATE INDEX conversations_by_change ON conversations (owner, changed);
    CREATE INDEX conversations_to_delete ON conversations (id) WHERE owner IS NULL;

    CREATE TABLE messages (
      number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      id text NOT NULL UNIQUE,
      conversation_id text NOT NULL,
      owner text NOT NULL,
      parent_id text,
      request_id text,
      role text NOT NULL,
      persona_id text,
      persona_name text,
      -- UTF-8: text cannot hold U+0000, and pages are cut by bytes.
      content bytea NOT NULL,
      -- The message as items (\`ports/item.ts\`), as JSON, if it is more than its text.
      items text,
      -- The size of the message, and of all messages from the root to it (\`charsOf\`).
      chars bigint NOT NULL,
      path_chars bigint NOT NULL,
      status text NOT NULL,
      created_at_ms bigint NOT NULL,
      -- The words that searches compare; NULL if there are too many, and then searches read the text.
      words tsvector
    );
    CREATE INDEX messages_by_conversation ON messages (conversation_id, number);
    CREATE INDEX messages_by_request ON messages (conversation_id, request_id) WHERE request_id IS NOT NULL;
    CREATE INDEX messages_by_words ON messages USING gin (words);
    CREATE INDEX messages_without_words ON messages (owner, number) WHERE words IS NULL;

    -- One row for each call of a provider; later folded into sums.
    CREATE TABLE usage (
      number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      id text NOT NULL UNIQUE,
      owner text NOT NULL,
      key_id text NOT NULL,
      request_id text,
      lane text,
      call int NOT NULL,
      api text NOT NULL,
      model text NOT NULL,
      -- Days since 1970, UTC: the day whose budget pays for the call.
      day int NOT NULL,
      at_ms bigint NOT NULL,
      input_tokens bigint NOT NULL,
      output_tokens bigint NOT NULL,
      estimated boolean NOT NULL,
      -- NULL: the call has not ended, and the figures are its reservation.
      outcome text,
      -- The incarnation that made the call.
      node bigint NOT NULL
    ) WITH (fillfactor = 80);
    CREATE INDEX usage_by_day ON usage (day, number);
    CREATE INDEX usage_by_owner ON usage (owner, day);
    CREATE INDEX usage_by_request ON usage (owner, request_id) WHERE request_id IS NOT NULL;
    CREATE INDEX usage_that_runs ON usage (node) WHERE outcome IS NULL;
    CREATE TABLE usage_days (
      owner text NOT NULL,
      day int NOT NULL,
      key_id text NOT NULL,
      api text NOT NULL,
      model text NOT NULL,
      calls bigint NOT NULL,
      input_tokens bigint NOT NULL,
      output_tokens bigint NOT NULL,
      estimated boolean NOT NULL,
      PRIMARY KEY (owner, day, key_id, api, model)
    );
    CREATE INDEX usage_days_by_day ON usage_days (day);

    CREATE TABLE keys (
      number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      id text NOT NULL UNIQUE,
      -- The digest of the key, which itself is not stored; NULL once it is revoked.
      digest text UNIQUE,
      owner text NOT NULL,
      name text,
      created_at_ms bigint NOT NULL,
      revoked_at_ms bigint,
      connections bigint,
      requests_per_minute bigint,
      requests_in_flight bigint,
      tokens_per_day bigint
    );

    -- The vendor's ids, as digests, and the owners for whom the vendor made them. \`noted_ms\` is a moment of \`served_ms\`.
    CREATE TABLE vendor_ids (digest text PRIMARY KEY, owner text NOT NULL, noted_ms bigint NOT NULL);
    CREATE INDEX vendor_ids_by_age ON vendor_ids (noted_ms);

    -- Unlogged: a crash of the database forgets them, and nothing else.
    CREATE UNLOGGED TABLE tickets (
      digest text PRIMARY KEY,
      holder text NOT NULL,
      caller text NOT NULL,
      issued timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE INDEX tickets_by_holder ON tickets (holder, issued);
    CREATE INDEX tickets_by_age ON tickets (issued);
    CREATE UNLOGGED TABLE attempts (
      name text NOT NULL,
      time_window bigint NOT NULL,
      count bigint NOT NULL,
      PRIMARY KEY (name, time_window)
    );
    CREATE INDEX attempts_by_window ON attempts (time_window);
    `,
  },
  {
    needs: 1,
    sql: `
    -- Responses with their items (\`ports/item.ts\`), so that any provider can continue them. \`kept_ms\` is a moment of \`served_ms\`.
    CREATE TABLE responses (
      digest text PRIMARY KEY,
      owner text NOT NULL,
      previous text,
      items text NOT NULL,
      version int NOT NULL,
      kept_ms bigint NOT NULL
    );
    CREATE INDEX responses_by_age ON responses (kept_ms);
    `,
  },
  {
    // A program that knows only the steps before would take the turns of all others.
    needs: 3,
    sql: `
    DELETE FROM fences;
    -- One row for each process that runs, beside its fence: a heartbeat must not wait for a beat of the journal.
    CREATE TABLE nodes (
      incarnation bigint PRIMARY KEY,
      name text NOT NULL,
      -- The heartbeats so far. No clocks are compared: a node is dead when others see this number stand still.
      beat bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50);
    -- How often in a row the turn was taken over from a node that died, with no event after the one before, and the last event at that time.
    ALTER TABLE turns ADD COLUMN claims int NOT NULL DEFAULT 0;
    ALTER TABLE turns ADD COLUMN claimed_seq int NOT NULL DEFAULT 0;
    -- The lanes that a client of another node has stopped, as a JSON array of persona ids; null in it stands for the whole turn.
    ALTER TABLE turns ADD COLUMN cancels jsonb;
    CREATE INDEX turns_to_cancel ON turns (node) WHERE cancels IS NOT NULL;
    `,
  },
  { needs: 3, sql: sharedPurses },
  {
    needs: 3,
    sql: `
    -- 'serving' or 'draining'.
    ALTER TABLE nodes ADD COLUMN state text NOT NULL DEFAULT 'serving';
    `,
  },
  {
    needs: 3,
    sql: `
    -- The number of a key's revocation, counted up in one row: with a sequence, numbers would be committed out of order.
    ALTER TABLE keys ADD COLUMN revocation bigint;
    CREATE INDEX keys_by_revocation ON keys (revocation) WHERE revocation IS NOT NULL;
    -- The last revocation on which the node has acted.
    ALTER TABLE nodes ADD COLUMN keys_seen bigint NOT NULL DEFAULT 0;
    `,
  },
  { needs: 3, sql: usageCostColumns },
  { needs: 3, sql: attemptColumns },
];

/** Any number that no other program is likely to lock in the same database. */
const migrationLock = 7_402_386_691;
/** While a change of a table waits for its lock, everyone else waits after it, so it gives up soon and tries again. */
const lockTimeoutMs = 200;
const maxTries = 50;

/**
 * Brings the database to this program's schema, each step in a transaction. Processes that start together take turns. Throws a
 * `DatabaseFault` with one line for the operator if a newer Troupe has changed the database so that this one must not use it.
 */
export async function migrate(client: ClientBase, known: readonly Step[] = steps): Promise<void> {
  // The wait for another process, and a step of a large database, may take long.
  await client.query("SET statement_timeout = 0");
  await client.query("SELECT pg_advisory_lock($1)", [migrationLock]);
  try {
    await client.query(
      "CREATE TABLE IF NOT EXISTS schema_steps (step int PRIMARY KEY, needs int NOT NULL, done_at timestamptz NOT NULL DEFAULT now())",
    );
    const { rows } = await client.query(
      "SELECT coalesce(max(step), 0) AS done, max(needs) AS needs FROM schema_steps",
    );
    const { done, needs } = rows[0] ?? { done: 0 };
    if (needs > known.length)
      throw new DatabaseFault(
        `the database needs a Troupe that knows step ${needs} of its schema, this one knows ${known.length}`,
      );
    for (const [place, step] of known.entries()) if (place >= done) await apply(client, place + 1, step);
  } finally {
    await client.query("SELECT pg_advisory_unlock($1)", [migrationLock]);
    await client.query(`SET statement_timeout = '${statementTimeout}'`);
  }
}

async function apply(client: ClientBase, number: number, { sql, needs }: Step): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await client.query(
        `BEGIN; SET LOCAL lock_timeout = ${lockTimeoutMs}; ${sql}; INSERT INTO schema_steps (step, needs) VALUES (${number}, ${needs}); COMMIT`,
      );
      return;
    } catch (fault) {
      await client.query("ROLLBACK");
      if (!isLockTimeout(fault) || tries === maxTries) throw fault;
    }
  }
}
