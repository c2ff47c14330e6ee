import { recordedCost, sumsOfPage, type UsageStore } from "../../ports/usage-store.ts";
import { firstPlace, sumsNames, sumsStatements, wholeCost } from "../database/usage-groups.ts";
import { toLeftCall, toSpending, toUsageSum } from "../database/usage-rows.ts";
import type { BeatItem } from "./beat-item.ts";
import { named } from "./connection.ts";
import { type PostgresStore, patienceMs } from "./postgres-store.ts";

const dialect = {
  // The day of a place: without a type, it would be compared as a text.
  parameter: (number: number) => (number === 4 ? "$4::int" : `$${number}`),
  byBytes: 'COLLATE "C"',
  any: "bool_or",
};

const statements = named({
  endLeftUsage: `UPDATE usage SET outcome = 'interrupted'
    WHERE outcome IS NULL AND NOT EXISTS (SELECT 1 FROM fences WHERE incarnation = node)`,
  redateUsage: `UPDATE usage SET day = $1 WHERE day > $1`,
  // The tokens of calls without a recorded cost are apart, because they are counted by their price.
  spentOn: `SELECT key_id, api, model, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd
    FROM (
      SELECT key_id, api, model, input_tokens, output_tokens, cost_usd FROM usage WHERE day = $1
      UNION ALL
      SELECT key_id, api, model, input_tokens, output_tokens, ${wholeCost} FROM usage_days WHERE day = $1
    ) AS spent GROUP BY key_id, api, model, cost_usd IS NULL`,
  // A lane makes its next call before anything of it can be resumed, so a running turn may also resume a call that completed.
  leftOn: `SELECT owner, request_id, lane, call, key_id, api, model, input_tokens, output_tokens, cost_usd FROM usage u
    WHERE day = $1 AND request_id IS NOT NULL AND (outcome IS NULL OR outcome = 'interrupted' OR EXISTS (
      SELECT 1 FROM turns WHERE turns.owner = u.owner AND turns.id = u.request_id AND turns.ended_ms IS NULL
    )) ORDER BY number`,
  ...sumsStatements(dialect),
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
    if (waiting.size > 0) await store.flushed(patienceMs);
  }

  endLeftUsage(store).catch(store.report);

  return {
    begin({ call = 0, requestId = null, conversationId = null, lane = null, isBegun, ...facts }) {
      write({ kind: "call", ...facts, call, requestId, conversationId, lane, replaces: isBegun });
    },
    extend: (id, inputTokens, outputTokens) => write({ kind: "call-change", id, inputTokens, outputTokens }),
    end(id, { usage, outcome, day }) {
      const { inputTokens, outputTokens, estimated } = usage;
      const { usd: costUsd = null, approximate: isCostApproximate = false } = recordedCost(usage) ?? {};
      const end = { day, estimated, outcome, costUsd, isCostApproximate };
      write({ kind: "call-change", id, inputTokens, outputTokens, end });
    },
    async takeUp(day) {
      await written();
      await store.query("", statements.redateUsage, [day]);
      const spent = await store.query("", statements.spentOn, [day]);
      const left = await store.query("", statements.leftOn, [day]);
      return { spent: spent.map(toSpending), left: left.map(toLeftCall) };
    },
    async sums(owner, from, to, group = "model", { day, first, second } = firstPlace) {
      await written();
      const values = [owner, from, to, day, first, second, sumsOfPage];
      const rows = await store.query(owner, statements[sumsNames[group]], values);
      return rows.map((row) => toUsageSum(group, row));
    },
  };
}
