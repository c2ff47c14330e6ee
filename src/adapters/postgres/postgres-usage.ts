import { sumsOfPage, type UsageStore } from "../../ports/usage-store.ts";
import { toLeftCall, toSpending, toUsageSum } from "../database/usage-rows.ts";
import type { BeatItem } from "./beat-item.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";

const statements = named({
  endLeftUsage: `UPDATE usage SET outcome = 'interrupted'
    WHERE outcome IS NULL AND NOT EXISTS (SELECT 1 FROM fences WHERE incarnation = node)`,
  redateUsage: `UPDATE usage SET day = $1 WHERE day > $1`,
  spentOn: `SELECT key_id, api, model, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens
    FROM (
      SELECT key_id, api, model, input_tokens, output_tokens FROM usage WHERE day = $1
      UNION ALL
      SELECT key_id, api, model, input_tokens, output_tokens FROM usage_days WHERE day = $1
    ) AS spent GROUP BY key_id, api, model`,
  // A lane makes its next call before anything of it can be resumed, so a running turn may also resume a call that completed.
  leftOn: `SELECT owner, request_id, lane, call, key_id, api, model, input_tokens, output_tokens FROM usage u
    WHERE day = $1 AND request_id IS NOT NULL AND (outcome IS NULL OR outcome = 'interrupted' OR EXISTS (
      SELECT 1 FROM turns WHERE turns.owner = u.owner AND turns.id = u.request_id AND turns.ended_ms IS NULL
    )) ORDER BY number`,
  sumUsage: `SELECT day, api, model, sum(calls) AS calls, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
      bool_or(estimated) AS estimated
    FROM (
      SELECT day, api, model, 1 AS calls, input_tokens, output_tokens, estimated FROM usage
      WHERE owner = $1 AND day BETWEEN $2 AND $3 AND (day, api COLLATE "C", model COLLATE "C") > ($4::int, $5, $6)
      UNION ALL
      SELECT day, api, model, calls, input_tokens, output_tokens, estimated FROM usage_days
      WHERE owner = $1 AND day BETWEEN $2 AND $3 AND (day, api COLLATE "C", model COLLATE "C") > ($4::int, $5, $6)
    ) AS used GROUP BY day, api, model ORDER BY day, api COLLATE "C", model COLLATE "C" LIMIT $7`,
});

interface PostgresUsageOptions {
  readonly store: PostgresStore;
}

/** Maximum number of writes that wait for the database; further ones are lost and reported as faults. */
const maxWaiting = 20_000;

/** Ends the calls that dead nodes left open. Their reservations count as used. */
export function endLeftUsage(store: PostgresStore): Promise<unknown> {
  return store.query("", statements.endLeftUsage);
}

/** Usage in the database, committed together with the turns' events. Ends the calls that nodes before left open. */
export function createPostgresUsage({ store }: PostgresUsageOptions): UsageStore {
  const waiting = new Set<Promise<unknown>>();

  /** Writes a call's cost as soon as the database takes it, because the call is paid for. */
  function write(item: BeatItem): void {
    if (waiting.size >= maxWaiting) {
      store.report(new Error("too many writes of usage wait, and one is lost"));
      return;
    }
    const written = store.commitInTheEnd(item).catch(store.report);
    waiting.add(written);
    void written.then(() => waiting.delete(written));
  }

  /** Settles when a read would see all earlier writes. */
  async function written(): Promise<void> {
    if (waiting.size > 0) await store.flushed();
  }

  endLeftUsage(store).catch(store.report);

  return {
    begin({ call = 0, requestId = null, lane = null, isBegun, ...facts }) {
      write({ kind: "call", ...facts, call, requestId, lane, replaces: isBegun });
    },
    extend: (id, inputTokens, outputTokens) => write({ kind: "call-change", id, inputTokens, outputTokens }),
    end(id, { usage: { inputTokens, outputTokens, estimated }, outcome, day }) {
      write({ kind: "call-change", id, inputTokens, outputTokens, end: { day, estimated, outcome } });
    },
    async takeUp(day) {
      await written();
      await store.query("", statements.redateUsage, [day]);
      const spent = await store.query("", statements.spentOn, [day]);
      const left = await store.query("", statements.leftOn, [day]);
      return { spent: spent.map(toSpending), left: left.map(toLeftCall) };
    },
    async sums(owner, from, to, after = { day: from - 1, api: "", model: "" }) {
      await written();
      const rows = await store.query(owner, statements.sumUsage, [
        owner,
        Math.max(from, after.day),
        to,
        after.day,
        after.api,
        after.model,
        sumsOfPage,
      ]);
      return rows.map(toUsageSum);
    },
  };
}
