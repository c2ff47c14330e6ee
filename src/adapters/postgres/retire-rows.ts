import type { Clock } from "../../ports/clock.ts";
import { vendorIdRetentionMs } from "../../ports/vendor-ids.ts";
import { named, type Statement, type Value } from "./connection.ts";
import { eraseRemoved } from "./erase-removed.ts";
import type { PostgresStore } from "./postgres-store.ts";
import type { ServedTime } from "./served-time.ts";

const statements = named({
  forgetTurns: `WITH due AS (SELECT number FROM turns WHERE ended_ms <= $1 ORDER BY ended_ms LIMIT 100 FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM events WHERE turn IN (SELECT number FROM due))
    DELETE FROM turns WHERE number IN (SELECT number FROM due) RETURNING 1`,
  forgetLogs: `WITH due AS (
      SELECT number FROM turns WHERE ended_ms <= $1 AND has_log ORDER BY ended_ms LIMIT 100 FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM events WHERE turn IN (SELECT number FROM due))
    UPDATE turns SET has_log = false WHERE number IN (SELECT number FROM due) RETURNING 1`,
  // A crash in the middle of a deletion leaves the turns of a conversation that is gone.
  forgetOrphans: `WITH due AS (
      SELECT number FROM turns t WHERE conversation_id IS NOT NULL AND ended_ms IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM conversations c WHERE c.id = t.conversation_id AND c.owner IS NOT NULL)
      LIMIT 100 FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM events WHERE turn IN (SELECT number FROM due))
    DELETE FROM turns WHERE number IN (SELECT number FROM due) RETURNING 1`,
  foldUsage: `WITH gone AS (
      DELETE FROM usage WHERE number IN (
        SELECT number FROM usage WHERE day < $1 AND outcome IS NOT NULL ORDER BY day, number LIMIT 500 FOR UPDATE SKIP LOCKED) RETURNING *),
    folded AS (
      INSERT INTO usage_days AS kept (owner, day, key_id, api, model, calls, input_tokens, output_tokens, estimated, cost_usd,
        cost_approximate, costed_calls)
      SELECT owner, day, key_id, api, model, count(*), sum(input_tokens), sum(output_tokens), bool_or(estimated),
        coalesce(sum(cost_usd), 0), bool_or(cost_approximate), count(cost_usd)
      FROM gone WHERE input_tokens + output_tokens > 0 GROUP BY owner, day, key_id, api, model ORDER BY owner, day, key_id, api, model
      ON CONFLICT (owner, day, key_id, api, model) DO UPDATE SET calls = kept.calls + excluded.calls,
        input_tokens = kept.input_tokens + excluded.input_tokens, output_tokens = kept.output_tokens + excluded.output_tokens,
        estimated = kept.estimated OR excluded.estimated, cost_usd = kept.cost_usd + excluded.cost_usd,
        cost_approximate = kept.cost_approximate OR excluded.cost_approximate,
        costed_calls = kept.costed_calls + excluded.costed_calls)
    SELECT 1 FROM gone`,
  forgetVendorIds: `DELETE FROM vendor_ids WHERE digest IN (
    SELECT digest FROM vendor_ids WHERE noted_ms <= $1 ORDER BY noted_ms LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING 1`,
  forgetResponses: `DELETE FROM responses WHERE digest IN (
    SELECT digest FROM responses WHERE kept_ms <= $1 ORDER BY kept_ms LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING 1`,
});

export interface RetirementOptions {
  readonly store: PostgresStore;
  readonly clock: Clock;
  readonly served: ServedTime;
  /** How long a turn's whole log is kept after its end, milliseconds. */
  readonly retentionMs: number;
  /** How long its answer is kept after its end, milliseconds. */
  readonly answerRetentionMs: number;
  /** The first day (since 1970) whose single calls are kept, by the clock of all nodes. */
  readonly firstUsageDay: () => Promise<number>;
}

/** How often to look for rows whose time is over. */
const intervalMs = 60_000;

/**
 * Deletes the events of ended turns when the time of their logs is over, then the turns, and old responses, usage and vendor ids. Erases removed
 * conversations. Starts with the work that came due while no server ran. A failure is reported and tried again.
 */
export function retireRows(options: RetirementOptions): AsyncDisposable {
  const { store, clock, served, retentionMs, answerRetentionMs, firstUsageDay } = options;
  const stopped = new AbortController();

  /** Repeats a statement that changes a few rows until it changes none. */
  async function repeat(statement: Statement, values: readonly Value[] = []): Promise<void> {
    while (!stopped.signal.aborted && (await store.query("", statement, values)).length > 0);
  }

  async function retire(): Promise<void> {
    const nowMs = served.now();
    await repeat(statements.forgetTurns, [nowMs - Math.max(retentionMs, answerRetentionMs)]);
    await repeat(statements.forgetLogs, [nowMs - retentionMs]);
    await repeat(statements.forgetResponses, [nowMs - Math.max(retentionMs, answerRetentionMs)]);
    await repeat(statements.foldUsage, [await firstUsageDay()]);
    await repeat(statements.forgetVendorIds, [nowMs - vendorIdRetentionMs]);
    await eraseRemoved(store, stopped.signal);
    await served.keep();
  }

  async function run(): Promise<void> {
    await repeat(statements.forgetOrphans).catch(store.report);
    while (!stopped.signal.aborted) {
      await retire().catch((fault: unknown) => {
        if (!stopped.signal.aborted) store.report(fault);
      });
      await clock.sleep(intervalMs, stopped.signal);
    }
  }
  const done = run();

  return {
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await done;
    },
  };
}
