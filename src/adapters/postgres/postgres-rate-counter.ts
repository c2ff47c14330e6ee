import type { RateCounter } from "../../ports/rate-counter.ts";
import { isStorageUnavailable } from "../../protocol/errors.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";

const statements = named({
  // Each count also deletes a few of past windows, so that they never pile up.
  countAttempt: `WITH now AS (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms),
    dropped AS (
      DELETE FROM attempts WHERE (name, time_window) IN (
        SELECT name, time_window FROM attempts WHERE time_window < (SELECT ms FROM now) / $2::bigint
        LIMIT 4 FOR UPDATE SKIP LOCKED))
    INSERT INTO attempts (name, time_window, count) SELECT $1, ms / $2::bigint, 1 FROM now
    ON CONFLICT (name, time_window) DO UPDATE SET count = attempts.count + 1
    RETURNING count, (SELECT $2::bigint - ms % $2::bigint FROM now) AS ends_in_ms`,
});

interface PostgresRateCounterOptions {
  readonly store: PostgresStore;
  readonly windowMs: number;
  /** Counters of another kind do not count together with this one. */
  readonly kind: string;
  /** Counts instead while the database cannot. */
  readonly beside: RateCounter;
}

/** Counts in the database, over all processes. Windows follow the database's clock. */
export function createPostgresRateCounter({
  store,
  windowMs,
  kind,
  beside,
}: PostgresRateCounterOptions): RateCounter {
  return {
    async add(name) {
      try {
        const [row] = await store.query("", statements.countAttempt, [`${kind} ${name}`, windowMs]);
        return { count: Number(row?.count), windowEndsInMs: Number(row?.ends_in_ms) };
      } catch (fault) {
        if (isStorageUnavailable(fault)) return beside.add(name);
        throw fault;
      }
    },
  };
}
