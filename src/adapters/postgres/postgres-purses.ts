import type { PurseAmounts, SharedPurses, Slice } from "../../ports/shared-purses.ts";
import type { DayNumber } from "../../ports/usage-store.ts";
import { storageUnavailable } from "../database/commits.ts";
import type { Row } from "../database/row.ts";
import { wholeCost } from "../database/usage-groups.ts";
import { toSpending } from "../database/usage-rows.ts";
import { named } from "./connection.ts";
import { FenceLostError, takenOver } from "./database-faults.ts";
import type { PostgresStore } from "./postgres-store.ts";
import { decodeText, encodeText } from "./text-values.ts";

const statements = named({
  // The asks are numbered in a line of the fences, which a takeover deletes. So the slices of a node never change after its death.
  openLine: `INSERT INTO fences (incarnation, line, nonce, sent)
    SELECT incarnation, 1, nonce, 0 FROM fences WHERE incarnation = $1 AND line = 0 FOR KEY SHARE
    ON CONFLICT DO NOTHING`,
  wallTime: "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms",
  takeSlices: "SELECT * FROM take_slices($1, $2, $3, $4::jsonb)",
  // One statement, so that calls, slices and fences are of the same moment.
  readSpent: `SELECT u.*, coalesce((SELECT returns FROM purse_days WHERE day = $1), 0) AS returns,
      (SELECT json_agg(DISTINCT s.incarnation)::text FROM purse_slices s
        WHERE s.day = $1 AND NOT EXISTS (SELECT 1 FROM fences f WHERE f.incarnation = s.incarnation)) AS gone,
      (SELECT json_agg(s.name) FROM purse_slices s WHERE s.day = $1 AND s.incarnation = u.node
        AND EXISTS (SELECT 1 FROM fences f WHERE f.incarnation = s.incarnation)) AS sliced
    FROM (SELECT 1) AS once LEFT JOIN (
      SELECT node, key_id, api, model, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd
      FROM usage WHERE day = $1 GROUP BY node, key_id, api, model, cost_usd IS NULL
      UNION ALL
      SELECT 0, key_id, api, model, input_tokens, output_tokens, ${wholeCost} FROM usage_days WHERE day = $1
    ) AS u ON true`,
  returnSlices: "SELECT return_slices($1, $2, $3::jsonb, $4::jsonb) AS is_done",
  dropOldSlices: "DELETE FROM purse_slices WHERE day > 0 AND day < $1 - 1",
  dropOldPurses: `DELETE FROM purses p WHERE (day > 0 AND day < $1 - 1)
    OR (day = 0 AND NOT EXISTS (SELECT 1 FROM purse_slices s WHERE s.day = 0 AND s.name = p.name))`,
  leftDays: `SELECT DISTINCT day FROM purse_slices s
    WHERE NOT EXISTS (SELECT 1 FROM fences f WHERE f.incarnation = s.incarnation)`,
});

/** Each try fails only if another node has returned slices meanwhile. */
const maxTries = 20;

/** Purses in the database. */
export function createPostgresPurses(store: PostgresStore): SharedPurses {
  const { incarnation } = store;
  let opened: Promise<unknown> | undefined;
  let asks = 0;
  /** Settles after the last ask: an ask that overtakes an earlier one would make it count as sent twice. */
  let asked: Promise<unknown> = Promise.resolve();

  async function open(): Promise<void> {
    opened ??= store.queryInTurn("", statements.openLine, [incarnation]);
    await opened.catch((fault: unknown) => {
      opened = undefined;
      throw fault;
    });
  }

  const take: SharedPurses["ask"] = async (day, requests) => {
    await open();
    asks += 1;
    const encoded = requests.map(({ name, ...request }) => ({ name: encodeText(name), ...request }));
    const values = [incarnation, asks, day, JSON.stringify(encoded)];
    const rows = await store.queryInTurn("", statements.takeSlices, values);
    if (rows.length === 0 && requests.length > 0) {
      store.lose();
      throw storageUnavailable(new FenceLostError(takenOver));
    }
    return { slices: rows.map(toSlice), hasLeft: rows.some((row) => row.has_left === true) };
  };

  /** False: other slices were returned meanwhile, so the count may be wrong. */
  async function tryToRecount(day: DayNumber, amountsOf: PurseAmounts): Promise<boolean> {
    const rows = await store.queryInTurn("", statements.readSpent, [day]);
    const amounts = new Map<string, number>();
    for (const row of rows) {
      if (row.key_id === null) continue;
      // A node that lives tells its own amounts.
      const sliced = new Set(Array.isArray(row.sliced) ? row.sliced.map(String) : []);
      for (const [name, amount] of amountsOf(toSpending(row)))
        if (!sliced.has(encodeText(name))) amounts.set(name, (amounts.get(name) ?? 0) + amount);
    }
    const [first] = rows;
    const [returned] = await store.queryInTurn("", statements.returnSlices, [
      day,
      Number(first?.returns ?? 0),
      String(first?.gone ?? "[]"),
      JSON.stringify(Array.from(amounts, ([name, amount]) => ({ name: encodeText(name), amount }))),
    ]);
    return returned?.is_done === true;
  }

  return {
    async wallTimeMs() {
      const [row] = await store.query("", statements.wallTime);
      return Number(row?.now_ms);
    },
    ask(day, requests) {
      const answer = asked.then(() => take(day, requests));
      asked = answer.catch(() => undefined);
      return answer;
    },
    async recount(day, amountsOf) {
      // Calls that take the place of others' calls are among the waiting writes.
      await store.flushed();
      for (let tries = 0; tries < maxTries; tries += 1) if (await tryToRecount(day, amountsOf)) break;
      await store.queryInTurn("", statements.dropOldSlices, [day]);
      await store.queryInTurn("", statements.dropOldPurses, [day]);
    },
    leftDays: async () => (await store.queryInTurn("", statements.leftDays)).map((row) => Number(row.day)),
  };
}

function toSlice(row: Row): Slice {
  return {
    name: decodeText(String(row.name)),
    amount: Number(row.amount),
    spentElsewhere: Number(row.spent_elsewhere),
    heldElsewhere: Number(row.held_elsewhere),
    unusedElsewhere: Number(row.unused_elsewhere),
  };
}
