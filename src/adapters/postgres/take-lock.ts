import type pg from "pg";
import type { Clock } from "../../ports/clock.ts";
import { DatabaseFault } from "./database-faults.ts";

/** Any number that no other program is likely to lock in the same database. */
const serverLock = 7_402_386_692;
/** The database notices within this time that a killed process is gone. */
const maxTries = 10;
const pauseMs = 200;

/**
 * Takes the lock of the one server that uses this database. The database frees it when this connection ends. A second server would take the
 * first one's turns. Throws if another one has it.
 */
export async function takeLock(client: pg.ClientBase, clock: Clock): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    if (await tryLock(client)) return;
    if (tries === maxTries) throw new DatabaseFault("the database is in use by another Troupe");
    await clock.sleep(pauseMs);
  }
}

/** Takes it if it is free. A connection that takes the place of a broken one need not have it, because the fence protects the turns. */
export async function tryLock(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query("SELECT pg_try_advisory_lock($1) AS is_taken", [serverLock]);
  return rows[0]?.is_taken === true;
}
