import type { Clock } from "../../ports/clock.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";

const statements = named({
  servedTime: `SELECT greatest((SELECT value FROM counters WHERE name = 'served_ms'), (SELECT max(ended_ms) FROM turns), 0) AS served`,
  keepServedTime: `INSERT INTO counters (name, value) VALUES ('served_ms', $1)
    ON CONFLICT (name) DO UPDATE SET value = greatest(counters.value, excluded.value) RETURNING value`,
});

/**
 * The total time that servers have run on this database. Retention is measured by it, because a wall clock can be set: one that jumps
 * ahead would expire everything at once.
 */
export interface ServedTime {
  /** Whole milliseconds. Never goes backwards, except that a crash loses the time since the last end of a turn or `keep`. */
  now(): number;
  /** Stores the time, so that the next server goes on from here, and takes that of a node that is ahead. */
  keep(): Promise<unknown>;
}

export async function openServedTime(store: PostgresStore, clock: Clock): Promise<ServedTime> {
  const [row] = await store.query("", statements.servedTime);
  let before = Number(row?.served ?? 0);
  const startedAtMs = clock.now();
  const now = () => before + Math.floor(clock.now() - startedAtMs);
  return {
    now,
    async keep() {
      const [kept] = await store.query("", statements.keepServedTime, [now()]);
      before += Math.max(0, Number(kept?.value) - now());
    },
  };
}
