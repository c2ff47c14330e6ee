import { createFaultyProxy } from "./faulty-proxy.ts";
import { openStore, runOn } from "./open-store.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

/** A primary with a streaming standby behind one address, as a managed database has. */
export interface ServerPair extends AsyncDisposable {
  /** Each restart is a failover: the primary crashes, its standby takes its place, and gets a standby of its own. */
  readonly database: PostgresServer;
  /** The address that leads to the primary, with the tables. */
  readonly databaseUrl: string;
}

async function configure(url: string, change: string): Promise<void> {
  await runOn(url, `ALTER SYSTEM ${change}`);
  await runOn(url, "SELECT pg_reload_conf()");
}

/** Until each commit waits for the standby; without a synchronous one, until it follows. */
async function untilFollowed(url: string, isSynchronous: boolean): Promise<void> {
  const state = isSynchronous ? "sync_state = 'sync'" : "state = 'streaming'";
  while ((await runOn(url, `SELECT 1 FROM pg_stat_replication WHERE ${state}`)).length === 0);
}

/** An asynchronous standby may lose the last commits. */
export async function startServerPair({ isSynchronous }: { isSynchronous: boolean }): Promise<ServerPair> {
  await using opening = new AsyncDisposableStack();
  const servers: PostgresServer[] = [];
  opening.defer(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  });
  const add = async (standbyOf?: string) => {
    const server = await startPostgres(standbyOf === undefined ? {} : { standbyOf });
    servers.push(server);
    return server;
  };
  let primary = await add();
  let primaryUrl = await primary.createDatabase();
  await using _tables = await openStore({ url: primaryUrl });
  const door = opening.use(await createFaultyProxy(primaryUrl));

  async function follow(): Promise<PostgresServer> {
    const standby = await add(primaryUrl);
    if (isSynchronous) await configure(primaryUrl, "SET synchronous_standby_names = '*'");
    await untilFollowed(primaryUrl, isSynchronous);
    return standby;
  }
  let standby = await follow();

  async function failOver(): Promise<void> {
    await primary.stop("immediate");
    const url = new URL(primaryUrl);
    url.port = new URL(standby.url).port;
    await runOn(url.href, "SELECT pg_promote()");
    // Without a standby yet, no commit would ever be made.
    await configure(url.href, "RESET synchronous_standby_names");
    [primary, primaryUrl] = [standby, url.href];
    door.leadTo(primaryUrl);
    standby = await follow();
  }

  const opened = opening.move();
  return {
    databaseUrl: door.url,
    database: {
      ...{ createDatabase: primary.createDatabase, url: door.url, folder: primary.folder, restart: failOver },
      stop: (how) => primary.stop(how),
      start: (environment) => primary.start(environment),
      get pid() {
        return primary.pid;
      },
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
