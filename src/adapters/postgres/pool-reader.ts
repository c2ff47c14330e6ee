import type pg from "pg";
import type { Clock } from "../../ports/clock.ts";
import { FairQueue } from "../../ports/fair-queue.ts";
import type { Row } from "../database/row.ts";
import type { Statement, Value } from "./connection.ts";
import { kindOf } from "./database-faults.ts";
import { decodeText, encodeText } from "./text-values.ts";

interface PoolReaderOptions {
  readonly pool: pg.Pool;
  readonly clock: Clock;
  /** The statements that run at the same time. */
  readonly connections: number;
  /** Ends all patience. */
  readonly signal: AbortSignal;
}

/**
 * Runs single statements on a pool. When all connections are busy, owners take turns. A statement whose outcome is unknown is run again for
 * `patienceMs`, so it must be one that may be repeated.
 */
interface PoolReader {
  query(
    owner: string,
    statement: Statement,
    values: readonly Value[],
    patienceMs: number,
  ): Promise<readonly Row[]>;
}

const pauseMs = 200;

export function createReader({ pool, clock, connections, signal }: PoolReaderOptions): PoolReader {
  const waiting = new FairQueue<() => Promise<void>>();
  let running = 0;

  function runNext(): void {
    while (running < connections) {
      const next = waiting.take();
      if (next === undefined) return;
      running += 1;
      void next().finally(() => {
        running -= 1;
        runNext();
      });
    }
  }

  async function run(query: pg.QueryConfig, patienceMs: number): Promise<readonly Row[]> {
    const untilMs = clock.now() + patienceMs;
    for (;;) {
      try {
        return (await pool.query(query)).rows.map(decodeRow);
      } catch (fault) {
        if (kindOf(fault) !== "again" || clock.now() >= untilMs || signal.aborted) throw fault;
        await clock.sleep(pauseMs, signal);
      }
    }
  }

  return {
    query(owner, { name, text }, values, patienceMs) {
      const settled = Promise.withResolvers<readonly Row[]>();
      const stored = values.map((value) => (typeof value === "string" ? encodeText(value) : value));
      const query = { name, text, values: stored };
      waiting.add(owner, () => run(query, patienceMs).then(settled.resolve, settled.reject));
      runNext();
      return settled.promise;
    },
  };
}

function decodeRow(row: Row): Row {
  const decoded: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(row))
    decoded[column] = typeof value === "string" ? decodeText(value) : value;
  return decoded;
}
