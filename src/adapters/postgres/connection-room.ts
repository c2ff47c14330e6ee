import type pg from "pg";
import { DatabaseFault } from "./database-faults.ts";

interface NeededConnections {
  readonly processes: number;
  /** Of each process. */
  readonly each: number;
  /** Is given one line if there is room, but others use too much of it now. */
  readonly onWarning: (message: string) => void;
}

/** Others' sessions are seen without their kind, but only sessions of clients name a database for long. */
const room = `SELECT
    CASE WHEN rolsuper THEN of_all ELSE least(of_all - reserved, nullif(rolconnlimit, -1), nullif(datconnlimit, -1)) END AS room,
    (SELECT count(*)::int FROM pg_stat_activity WHERE datid IS NOT NULL AND pid <> pg_backend_pid()) AS used
  FROM pg_roles, pg_database, (
    SELECT current_setting('max_connections')::int AS of_all,
      current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved) AS limits
  WHERE rolname = session_user AND datname = current_database()`;

/** Rejects if the database can never hold the connections of this machine's processes. */
export async function checkRoom(
  client: pg.ClientBase,
  { processes, each, onWarning }: NeededConnections,
): Promise<void> {
  const { rows } = await client.query<{ room: number; used: number }>(room);
  const [limits] = rows;
  if (limits === undefined) return;
  const needed = processes * each;
  const of = processes === 1 ? "this server needs" : `${processes} workers need`;
  const has = `PostgreSQL has room for ${limits.room} connections (max_connections)`;
  const advice = `raise it, or lower TROUPE_DATABASE_CONNECTIONS${processes === 1 ? "" : " or TROUPE_WORKERS"}`;
  if (needed > limits.room) throw new DatabaseFault(`${has}, and ${of} ${needed}: ${advice}`);
  if (limits.used + needed > limits.room)
    onWarning(`${has}, and others use ${limits.used} of them, but ${of} ${needed}: ${advice}`);
}
