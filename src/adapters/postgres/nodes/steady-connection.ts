import type pg from "pg";
import type { Clock } from "../../../ports/clock.ts";
import type { Row } from "../../database/row.ts";
import { connect, drop, type Statement, type Value } from "../connection.ts";
import { isLockTimeout } from "../database-faults.ts";

interface SteadyConnectionOptions {
  readonly url: string;
  readonly clock: Clock;
  /** A query that takes longer fails, milliseconds. `statement_timeout` does not cut a commit. */
  readonly deadlineMs: number;
  /** Called with each connection before its first query. */
  readonly onOpen: (client: pg.Client) => Promise<unknown>;
}

/** A connection of its own, which is opened again after a failure, by the next query. */
export interface SteadyConnection {
  /** Calls must not overlap. Rejects if the query fails, or if the database cannot be reached. */
  ask(statement: Statement, values?: readonly Value[]): Promise<readonly Row[]>;
  close(): Promise<void>;
}

export function createSteadyConnection(options: SteadyConnectionOptions): SteadyConnection {
  const { url, clock, deadlineMs, onOpen } = options;
  let client: pg.Client | undefined;

  async function open(): Promise<pg.Client> {
    const opened = await connect(url, "other");
    try {
      await onOpen(opened);
      return opened;
    } catch (fault) {
      drop(opened);
      throw fault;
    }
  }

  return {
    async ask({ name, text }, values = []) {
      client ??= await open();
      const current = client;
      const cancel = clock.callAfter(deadlineMs, () => drop(current));
      try {
        return (await current.query({ name, text, values: [...values] })).rows;
      } catch (fault) {
        // After a lock's timeout the connection is as good as before.
        if (!isLockTimeout(fault)) {
          drop(current);
          client = undefined;
        }
        throw fault;
      } finally {
        cancel();
      }
    },
    async close() {
      const current = client;
      client = undefined;
      if (current === undefined) return;
      const cancel = clock.callAfter(deadlineMs, () => drop(current));
      await current.end().catch(() => undefined);
      cancel();
    },
  };
}
