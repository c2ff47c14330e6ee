import type pg from "pg";
import type { Clock } from "../../ports/clock.ts";
import { FairQueue } from "../../ports/fair-shares.ts";
import type { Row } from "../database/row.ts";
import type { Statement, Value } from "./connection.ts";
import { kindOf } from "./database-faults.ts";
import { decodeText, encodeText } from "./text-values.ts";

interface PoolReaderOptions {
  /** Runs a statement on a free connection. */
  readonly ask: (query: pg.QueryConfig) => Promise<{ readonly rows: readonly Row[] }>;
  readonly clock: Clock;
  /** The statements that run at the same time. */
  readonly connections: number;
  /** Ends all patience. */
  readonly signal: AbortSignal;
}

/**
 * Runs single statements on a pool. When all connections are busy, owners take turns. A statement whose outcome is unknown is run again for
 * `patienceMs`, so it must be one that may be repeated. While the database is away, the wait for a connection counts as well: statements
 * with more patience hold all connections then.
 */
interface PoolReader {
  query(
    owner: string,
    statement: Statement,
    values: readonly Value[],
    patienceMs: number,
  ): Promise<readonly Row[]>;
}

/** A statement that waits for a connection. */
interface Asked {
  readonly query: pg.QueryConfig;
  readonly patienceMs: number;
  /** The end of its patience, if the database is away. */
  readonly untilMs: number;
  readonly settled: PromiseWithResolvers<readonly Row[]>;
}

const pauseMs = 200;

export function createReader({ ask, clock, connections, signal }: PoolReaderOptions): PoolReader {
  const waiting = new FairQueue<Asked>();
  let running = 0;
  /** Why the last statement had no answer; absent while the database answers. */
  let outage: { readonly fault: unknown } | undefined;
  let isRefusing = false;

  function runNext(): void {
    while (running < connections) {
      const next = waiting.take();
      if (next === undefined) return;
      running += 1;
      void run(next)
        .then(next.settled.resolve, next.settled.reject)
        .then(() => {
          running -= 1;
          runNext();
        });
    }
  }

  async function run({ query, patienceMs, ...asked }: Asked): Promise<readonly Row[]> {
    const untilMs = outage === undefined ? clock.now() + patienceMs : asked.untilMs;
    for (;;) {
      try {
        const { rows } = await ask(query);
        outage = undefined;
        return rows.map(decodeRow);
      } catch (fault) {
        if (kindOf(fault) !== "again") {
          outage = undefined;
          throw fault;
        }
        noteOutage(fault);
        if (clock.now() >= untilMs || signal.aborted) throw fault;
        await clock.sleep(pauseMs, signal);
      }
    }
  }

  function noteOutage(fault: unknown): void {
    outage = { fault };
    if (!isRefusing) void refuseLate();
  }

  /** Refuses the waiting statements whose patience ends, until the database answers. */
  async function refuseLate(): Promise<void> {
    isRefusing = true;
    while (outage !== undefined) {
      const { fault } = outage;
      const nowMs = clock.now();
      for (const { settled } of waiting.takeAll(({ untilMs }) => signal.aborted || nowMs >= untilMs))
        settled.reject(fault);
      if (signal.aborted) break;
      await clock.sleep(pauseMs, signal);
    }
    isRefusing = false;
  }

  return {
    query(owner, { name, text }, values, patienceMs) {
      const settled = Promise.withResolvers<readonly Row[]>();
      const stored = values.map((value) => (typeof value === "string" ? encodeText(value) : value));
      const query = { name, text, values: stored };
      waiting.add(owner, { query, patienceMs, untilMs: clock.now() + patienceMs, settled });
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
