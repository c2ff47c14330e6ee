/** The calls to fold next: from days before a given one, oldest first, a few at a time. */
const folded = "SELECT * FROM usage WHERE day < ?1 AND outcome IS NOT NULL ORDER BY day, number LIMIT 8";

/** The statements for the tables of usage. */
export const usageStatements = {
  beginUsage: `INSERT INTO usage (id, owner, key_id, request_id, lane, call, api, model, day, at_ms, input_tokens, output_tokens, estimated)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`,
  // Deletes the row of the call that is taken up, regardless of its day and outcome: a call is one row. Older rows of the same
  // number are of answers that were given up, so they were other calls.
  dropBegunUsage: `DELETE FROM usage
    WHERE number = (SELECT max(number) FROM usage WHERE owner = ? AND request_id = ? AND lane IS ? AND call = ?)`,
  extendUsage: `UPDATE usage SET input_tokens = ?, output_tokens = ? WHERE id = ?`,
  endUsage: `UPDATE usage SET day = ?, input_tokens = ?, output_tokens = ?, estimated = ?, outcome = ? WHERE id = ?`,
  endLeftUsage: `UPDATE usage SET outcome = 'interrupted' WHERE outcome IS NULL`,
  laterUsage: `SELECT 1 FROM usage WHERE day > ? LIMIT 1`,
  redateUsage: `UPDATE usage SET day = ?1 WHERE day > ?1`,
  spentOn: `SELECT key_id, api, model, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens
    FROM (
      SELECT key_id, api, model, input_tokens, output_tokens FROM usage WHERE day = ?1
      UNION ALL
      SELECT key_id, api, model, input_tokens, output_tokens FROM usage_days WHERE day = ?1
    ) GROUP BY key_id, api, model`,
  // A lane makes its next call before anything of it can be resumed, so a running turn may also resume a call that completed.
  leftOn: `SELECT owner, request_id, lane, call, key_id, api, model, input_tokens, output_tokens FROM usage
    WHERE day = ? AND request_id IS NOT NULL AND (outcome IS NULL OR outcome = 'interrupted' OR EXISTS (
      SELECT 1 FROM turns WHERE turns.owner = usage.owner AND turns.id = usage.request_id AND turns.ended_at_ms IS NULL
    )) ORDER BY number`,
  sumUsage: `SELECT day, api, model, sum(calls) AS calls, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
      max(estimated) AS estimated
    FROM (
      SELECT day, api, model, 1 AS calls, input_tokens, output_tokens, estimated FROM usage
      WHERE owner = ?1 AND day BETWEEN ?2 AND ?3 AND (day, api, model) > (?4, ?5, ?6)
      UNION ALL
      SELECT day, api, model, calls, input_tokens, output_tokens, estimated FROM usage_days
      WHERE owner = ?1 AND day BETWEEN ?2 AND ?3 AND (day, api, model) > (?4, ?5, ?6)
    ) GROUP BY day, api, model ORDER BY day, api, model LIMIT ?7`,
  foldUsage: `INSERT INTO usage_days (owner, day, key_id, api, model, calls, input_tokens, output_tokens, estimated)
    SELECT owner, day, key_id, api, model, count(*), sum(input_tokens), sum(output_tokens), max(estimated)
    FROM (${folded}) WHERE input_tokens + output_tokens > 0 GROUP BY owner, day, key_id, api, model
    ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, input_tokens = input_tokens + excluded.input_tokens,
      output_tokens = output_tokens + excluded.output_tokens, estimated = max(estimated, excluded.estimated)`,
  dropFoldedUsage: `DELETE FROM usage WHERE number IN (SELECT number FROM (${folded}))`,
} as const;
