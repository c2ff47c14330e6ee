import {
  hasPostgres,
  type PostgresServer,
  startPostgres,
} from "../../tests/long/postgres/postgres-server.ts";
import { freePort } from "../../tests/support/free-port.ts";
import { pinned } from "../machine/cores.ts";
import type { Side } from "../sides/side.ts";
import { troupe } from "../sides/troupe.ts";
import { hasCompiler, slowSync } from "./slow-sync.ts";

/** Troupe on one store. */
export interface StoreSide {
  readonly name: string;
  readonly side: Side;
  readonly metricsPort: number;
  /** The database's first process; left out if the store is part of the server. */
  readonly databasePid?: number;
}

const slowMs = 3;

/** Troupe on SQLite and on PostgreSQL, with its disk and with a slower one. The databases share the core of their servers. */
export async function startStores(
  isPinned: boolean,
): Promise<AsyncDisposable & { readonly all: readonly StoreSide[] }> {
  if (!hasPostgres) throw new Error("there is no PostgreSQL in /usr/lib/postgresql");
  await using opening = new AsyncDisposableStack();
  const start = async (environment: Readonly<Record<string, string>>) =>
    opening.use(await startPostgres({ isSynced: true, runner: isPinned ? pinned : [], environment }));
  const all = [await storeSide("SQLite"), await storeSide("PostgreSQL", await start({}))];
  if (hasCompiler) {
    const { environment } = opening.use(await slowSync(slowMs));
    all.push(await storeSide(`PostgreSQL, fdatasync + ${slowMs} ms`, await start(environment)));
  } else console.log("There is no C compiler, so no disk is slowed down.");
  const opened = opening.move();
  return { all, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function storeSide(name: string, database?: PostgresServer): Promise<StoreSide> {
  const metricsPort = await freePort();
  const base = troupe({ name, about: name, pacing: "natural", store: "sqlite" });
  return {
    name,
    metricsPort,
    ...(database === undefined ? {} : { databasePid: database.pid }),
    side: {
      ...base,
      async program(place) {
        const program = await base.program(place);
        const { TROUPE_STORE: store, ...others } = program.environment ?? {};
        const kept: Record<string, string> =
          database === undefined
            ? { TROUPE_STORE: store ?? "" }
            : { TROUPE_DATABASE_URL: await database.createDatabase() };
        return {
          ...program,
          environment: { ...others, ...kept, TROUPE_METRICS_PORT: String(metricsPort) },
        };
      },
    },
  };
}
