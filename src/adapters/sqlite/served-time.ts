import type { Clock } from "../../ports/clock.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";

/**
 * The time for which servers have run on this database, all of them together: what is kept for a time ages by it. A wall clock can
 * be set, and one that jumps ahead would take everything at once.
 */
export interface ServedTime {
  /** Whole milliseconds; never goes backwards, but for what a crash forgets of the time since it was kept last. */
  now(): number;
  /** Keeps the time, so that the next server goes on from here. */
  keep(): Write;
}

export async function openServedTime(store: SqliteStore, clock: Clock): Promise<ServedTime> {
  const before = Number((await store.read("counter", "served_ms"))[0]?.value ?? 0);
  const startedAtMs = clock.now();
  const now = () => before + Math.floor(clock.now() - startedAtMs);
  return { now, keep: () => ["keepServedTime", now()] };
}
