import type { Clock } from "../../ports/clock.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";

/**
 * The total time that servers have run on this database. Retention is measured by it, because a wall clock can be set: one that jumps
 * ahead would expire everything at once.
 */
export interface ServedTime {
  /** Whole milliseconds. Never goes backwards, except that a crash loses the time since the last `keep`. */
  now(): number;
  /** The write that stores the time, so that the next server goes on from here. */
  keep(): Write;
}

export async function openServedTime(store: SqliteStore, clock: Clock): Promise<ServedTime> {
  const before = Number((await store.read("counter", "served_ms"))[0]?.value ?? 0);
  const startedAtMs = clock.now();
  const now = () => before + Math.floor(clock.now() - startedAtMs);
  return { now, keep: () => ["keepServedTime", now()] };
}
