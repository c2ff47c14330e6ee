import { sumsStatements, wholeCost } from "../database/usage-groups.ts";

const dialect = { parameter: (number: number) => `?${number}`, byBytes: "", any: "max" };

/** The calls to fold next: from days before a given one, oldest first, a few at a time. */
const folded = "SELECT * FROM usage WHERE day < ?1 AND outcome IS NOT NULL ORDER BY day, number LIMIT 32";

/** The statements for the tables of usage. */
export const usageStatements = {
  beginUsage: `INSERT INTO usage (id, owner, key_id, request_id, lane, call, api, model, day, at_ms, input_tokens, output_tokens,
      conversation_id, estimated)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`,
  // Deletes the row of the call that is taken up, regardless of its day and outcome: a call is one row. Older rows of the same
  // number are of answers that were given up, so they were other calls.
  dropBegunUsage: `DELETE FROM usage
    WHERE number = (SELECT max(number) FROM usage WHERE owner = ? AND request_id = ? AND lane IS ? AND call = ?)`,
  extendUsage: `UPDATE usage SET input_tokens = ?, output_tokens = ? WHERE id = ?`,
  endUsage: `UPDATE usage SET day = ?, input_tokens = ?, output_tokens = ?, estimated = ?, outcome = ?, cost_usd = ?,
    cost_approximate = ? WHERE id = ?`,
  endLeftUsage: `UPDATE usage SET outcome = 'interrupted' WHERE outcome IS NULL`,
  laterUsage: `SELECT 1 FROM usage WHERE day > ? LIMIT 1`,
  redateUsage: `UPDATE usage SET day = ?1 WHERE day > ?1`,
  // The tokens of calls without a recorded cost are apart, because they are counted by their price.
  spentOn: `SELECT key_id, api, model, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd
    FROM (
      SELECT key_id, api, model, input_tokens, output_tokens, cost_usd FROM usage WHERE day = ?1
      UNION ALL
      SELECT key_id, api, model, input_tokens, output_tokens, ${wholeCost} FROM usage_days WHERE day = ?1
    ) GROUP BY key_id, api, model, cost_usd IS NULL`,
  // A lane makes its next call before anything of it can be resumed, so a running turn may also resume a call that completed.
  leftOn: `SELECT owner, request_id, lane, call, key_id, api, model, input_tokens, output_tokens, cost_usd FROM usage
    WHERE day = ? AND request_id IS NOT NULL AND (outcome IS NULL OR outcome = 'interrupted' OR EXISTS (
      SELECT 1 FROM turns WHERE turns.owner = usage.owner AND turns.id = usage.request_id AND turns.ended_at_ms IS NULL
    )) ORDER BY number`,
  ...sumsStatements(dialect),
  foldUsage: `INSERT INTO usage_days
      (owner, day, key_id, api, model, calls, input_tokens, output_tokens, estimated, cost_usd, cost_approximate, costed_calls)
    SELECT owner, day, key_id, api, model, count(*), sum(input_tokens), sum(output_tokens), max(estimated), total(cost_usd),
      max(cost_approximate), count(cost_usd)
    FROM (${folded}) WHERE input_tokens + output_tokens > 0 GROUP BY owner, day, key_id, api, model
    ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, input_tokens = input_tokens + excluded.input_tokens,
      output_tokens = output_tokens + excluded.output_tokens, estimated = max(estimated, excluded.estimated),
      cost_usd = cost_usd + excluded.cost_usd, cost_approximate = max(cost_approximate, excluded.cost_approximate),
      costed_calls = costed_calls + excluded.costed_calls`,
  dropFoldedUsage: `DELETE FROM usage WHERE number IN (SELECT number FROM (${folded}))`,
} as const;
