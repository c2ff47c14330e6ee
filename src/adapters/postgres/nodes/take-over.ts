import { named } from "../connection.ts";
import { isLockTimeout } from "../database-faults.ts";
import { journalName } from "../journal-line.ts";
import type { SteadyConnection } from "./steady-connection.ts";

/** A node's beat that is under way holds the fence. A connection that waits for the lock longer gives up. */
export const fenceLockTimeout = "1s";

const statements = named({
  deleteFence: "DELETE FROM fences WHERE incarnation = $1",
  deleteNode: `DELETE FROM nodes WHERE incarnation = $1
    AND NOT EXISTS (SELECT 1 FROM fences WHERE incarnation = $1)`,
  // Only a backend that waits for its client: one that waits for a standby would make its rows visible before the standby has them.
  endJournal: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = $1 AND wait_event_type = 'Client'`,
});

/**
 * Takes a dead node's right to write, in steps that are statements of their own. In one statement, the log would be read without the beat
 * that the deletion waits for. Returns false if the node's last beat still holds the fence; the next look tries again. From then on its
 * turns may be claimed by any node, so a taker that dies half way leaves nothing behind.
 */
export async function takeOver(connection: SteadyConnection, incarnation: number): Promise<boolean> {
  for (const isLast of [false, true]) {
    try {
      await connection.ask(statements.deleteFence, [incarnation]);
      return true;
    } catch (fault) {
      if (!isLockTimeout(fault)) throw fault;
      // A beat whose last bytes were lost on the way would hold the fence for ever.
      if (!isLast) await connection.ask(statements.endJournal, [journalName(incarnation)]);
    }
  }
  return false;
}

/** Deletes the row of a node that was taken over. Revocations wait for every row, so the node must have closed its sockets. */
export async function forgetNode(connection: SteadyConnection, incarnation: number): Promise<void> {
  await connection.ask(statements.deleteNode, [incarnation]);
}
