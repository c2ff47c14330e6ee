import pg from "pg";
import { DatabaseFault } from "./database-faults.ts";

/** A statement, prepared under its name once a connection, with its values. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}
export type Value = string | number | boolean | null | Buffer | readonly Buffer[];

/** Gives each statement its key as its name. */
export function named<Key extends string>(
  texts: Readonly<Record<Key, string>>,
): Readonly<Record<Key, Statement>> {
  const entries = Object.entries<string>(texts).map(([name, text]) => [name, { name, text }]);
  return Object.fromEntries(entries);
}

/** A connection that is not there after this time is tried again, milliseconds. */
const connectionTimeoutMs = 5_000;
/** A statement that runs longer is stopped. It does not limit a commit. */
export const statementTimeout = "5s";
/**
 * A statement of the pool without an answer after this time has failed, milliseconds. The server's own timeout cannot be heard over a
 * connection that has fallen silent, and its caller would wait for ever.
 */
const silenceMs = 8_000;

/**
 * Settings of every connection. They are set by statements, because some services refuse them as startup options (RDS Proxy). A dead peer is
 * noticed by TCP within 20 s.
 */
const settings = [
  "default_transaction_isolation = 'read committed'",
  "idle_in_transaction_session_timeout = '2s'",
  `statement_timeout = '${statementTimeout}'`,
  "tcp_keepalives_idle = 5",
  "tcp_keepalives_interval = 5",
  "tcp_keepalives_count = 3",
];
/**
 * Settings of the journal's connection. Its statements find rows by their keys only, and their plans are made while the tables may be empty, so
 * that the planner would choose to read whole tables.
 */
const journalSettings = [
  "plan_cache_mode = force_generic_plan",
  "enable_seqscan = off",
  "enable_hashjoin = off",
  "enable_mergejoin = off",
];

function configOf(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    connectionTimeoutMillis: connectionTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    fallback_application_name: "troupe",
  };
}

async function prepare(client: pg.ClientBase, more: readonly string[] = []): Promise<void> {
  await client.query([...settings, ...more].map((setting) => `SET ${setting}`).join("; "));
  const { rows } = await client.query("SELECT pg_is_in_recovery() AS is_standby");
  if (rows[0]?.is_standby === true)
    throw new DatabaseFault("the database is a standby, which cannot be written to");
}

/** Opens a connection of its own. A connection that fails later is told by its next query. */
export async function connect(url: string, use: "journal" | "other"): Promise<pg.Client> {
  const client = new pg.Client(configOf(url));
  client.on("error", () => undefined);
  try {
    await client.connect();
    await prepare(client, use === "journal" ? journalSettings : []);
    return client;
  } catch (fault) {
    drop(client);
    throw fault;
  }
}

/** Opens a pool for statements that need no order among them. */
export function openPool(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    ...configOf(url),
    query_timeout: silenceMs,
    max,
    onConnect: (client) => prepare(client),
  });
  // The pool has dropped the connection already.
  pool.on("error", () => undefined);
  return pool;
}

/** Ends a connection at once, even if the other side does not answer. */
export function drop(client: pg.Client): void {
  client.connection.stream.destroy();
  // It rejects if there was no connection, and nothing depends on it.
  client.end().catch(() => undefined);
}

/** Refuses a database that cannot hold all texts, or is too old. */
export async function checkServer(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query(
    "SELECT current_setting('server_encoding') AS encoding, current_setting('server_version_num')::int AS version",
  );
  const { encoding, version } = rows[0] ?? {};
  if (encoding !== "UTF8")
    throw new DatabaseFault(`the database has the encoding ${encoding} instead of UTF8`);
  if (version < 140_000) throw new DatabaseFault("PostgreSQL is older than 14");
}
