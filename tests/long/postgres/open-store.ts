import pg from "pg";
import type { Row } from "../../../src/adapters/database/row.ts";
import { createPostgresConversations } from "../../../src/adapters/postgres/postgres-conversations.ts";
import { createPostgresStore } from "../../../src/adapters/postgres/postgres-store.ts";
import {
  createPostgresTurnLogs,
  type PostgresTurnLogOptions,
} from "../../../src/adapters/postgres/postgres-turn-logs.ts";
import { openServedTime } from "../../../src/adapters/postgres/served-time.ts";
import type { Observer } from "../../../src/ports/observer.ts";
import { failing } from "../../adapters/sqlite/open-store.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

/** The server of all tests of a file, and a database on it that has the tables and no rows. */
let template: Promise<string> | undefined;
let server: Promise<PostgresServer> | undefined;

export function sharedServer(): Promise<PostgresServer> {
  server ??= startPostgres();
  return server;
}

/** For `after`: stops it. */
export async function stopShared(): Promise<void> {
  await (await server)?.[Symbol.asyncDispose]();
}

async function createTemplate(): Promise<string> {
  const url = await (await sharedServer()).createDatabase();
  const clock = createTestClock({ instantMs: 1_000 });
  await (await createPostgresStore({ url, clock, observer: failing }))[Symbol.asyncDispose]();
  // A copy of a sequence gives out the same numbers again after a crash, up to the one that the original has logged ahead.
  await runOn(url, "SELECT setval('incarnations', last_value) FROM incarnations");
  return url;
}

/** A new database that has the tables and no rows. */
export async function emptyDatabase(): Promise<string> {
  template ??= createTemplate();
  return (await sharedServer()).createDatabase(await template);
}

/** A store on a database, by default a new one. The database may fail only if an observer is given. */
export async function openStore({ url, observer = failing }: { url?: string; observer?: Observer } = {}) {
  const database = url ?? (await emptyDatabase());
  const clock = createTestClock({ instantMs: 1_000 });
  const store = await createPostgresStore({ url: database, clock, observer });
  return {
    ...{ store, clock, url: database },
    /** Runs a statement of the test on a connection of its own. */
    change: (text: string, values: readonly unknown[] = []) => runOn(database, text, values),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Runs a statement on a connection of its own, and returns its rows. */
export async function runOn(url: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** Keeps the locks of a statement until `release`. */
export async function lockOn(url: string, text: string): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query("BEGIN");
  await client.query(text);
  return {
    async release() {
      await client.query("ROLLBACK");
      await client.end();
    },
  };
}

/** Logs and conversations on a database, by default a new one. */
export async function openLogs(
  options: Partial<PostgresTurnLogOptions> & { url?: string; observer?: Observer } = {},
) {
  const opened = await openStore(options);
  const { store } = opened;
  const { clock = opened.clock } = options;
  const served = await openServedTime(store, clock);
  const defaults = { store, clock, served, retentionMs: 60_000, answerRetentionMs: 0, maxBytes: 1_000_000 };
  return {
    ...{ store, clock, served, url: opened.url, storeClock: opened.clock },
    lock: (text: string) => lockOn(opened.url, text),
    logs: createPostgresTurnLogs({ ...defaults, ...options }),
    conversations: createPostgresConversations({ store, clock: opened.clock }),
    [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
  };
}
