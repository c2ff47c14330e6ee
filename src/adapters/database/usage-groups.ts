import type { UsageGroup } from "../../ports/usage-store.ts";

/** The columns of single calls and of the sums of days that every group needs. */
const figures = "input_tokens, output_tokens, estimated, cost_usd, cost_approximate";

/** The columns by which a group is ordered, as `SumPlace` names them: a day and two texts. */
const places: Readonly<Record<UsageGroup, readonly [day: string, first: string, second: string]>> = {
  model: ["day", "api", "model"],
  day: ["day", "''", "''"],
  key: ["0", "key_id", "''"],
  conversation: ["0", "coalesce(conversation_id, '')", "''"],
  request: ["0", "coalesce(conversation_id, '')", "coalesce(request_id, '')"],
  call: ["day", "coalesce(request_id, '')", "id"],
};

/** The differences between the databases in the statement of a group. */
interface Dialect {
  /** A parameter by its number, from 1. */
  parameter(number: number): string;
  /** The order of texts by their bytes. */
  readonly byBytes: string;
  /** Whether one of the values is true. */
  readonly any: string;
}

/**
 * The statement that reads a page of a group's sums. Parameters: the owner, the first and the last day, the three values of the place before
 * the page, and the size of a page. A sum's cost is NULL if it is known of no call. `costed` is the number of calls whose cost is known.
 */
function sumsStatement(group: UsageGroup, { parameter, byBytes, any }: Dialect): string {
  const [owner, from, to, ...after] = [1, 2, 3, 4, 5, 6].map(parameter);
  const [day, first, second] = places[group];
  const place = `${day} AS place_day, ${first} AS place_first, ${second} AS place_second`;
  const order = `place_day, place_first ${byBytes}, place_second ${byBytes}`;
  const mine = `owner = ${owner} AND day BETWEEN ${from} AND ${to}`;
  const isCall = group === "call";
  const ofCall = isCall ? ", key_id, conversation_id, api, model, at_ms, outcome" : "";
  const oneOfCall = ofCall.replaceAll(/, (\w+)/g, ", min($1) AS $1");
  const days = `UNION ALL SELECT ${place.replaceAll(/conversation_id|request_id/g, "NULL")}, calls, costed_calls AS costed, ${figures}
      FROM usage_days WHERE ${mine}`;
  return `SELECT place_day, place_first, place_second, sum(calls) AS calls, sum(costed) AS costed,
      sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, ${any}(estimated) AS estimated,
      sum(cost_usd) AS cost_usd, ${any}(cost_approximate) AS cost_approximate${oneOfCall}
    FROM (
      SELECT ${place}, 1 AS calls, CASE WHEN cost_usd IS NULL THEN 0 ELSE 1 END AS costed, ${figures}${ofCall}
      FROM usage WHERE ${mine}
      ${isCall ? "" : days}
    ) AS used WHERE (place_day, place_first ${byBytes}, place_second ${byBytes}) > (${after.join(", ")})
    GROUP BY place_day, place_first, place_second ORDER BY ${order} LIMIT ${parameter(7)}`;
}

/** The statements of all groups. */
export function sumsStatements(dialect: Dialect) {
  return {
    sumUsageByModel: sumsStatement("model", dialect),
    sumUsageByDay: sumsStatement("day", dialect),
    sumUsageByKey: sumsStatement("key", dialect),
    sumUsageByConversation: sumsStatement("conversation", dialect),
    sumUsageByRequest: sumsStatement("request", dialect),
    sumUsageByCall: sumsStatement("call", dialect),
  };
}

/** The statement of each group. */
export const sumsNames = {
  model: "sumUsageByModel",
  day: "sumUsageByDay",
  key: "sumUsageByKey",
  conversation: "sumUsageByConversation",
  request: "sumUsageByRequest",
  call: "sumUsageByCall",
} as const satisfies Record<UsageGroup, keyof ReturnType<typeof sumsStatements>>;

/** The place before the first page. */
export const firstPlace = { day: -1, first: "", second: "" } as const;

/** The cost of a row of `usage_days`: NULL if it is not known of all its calls. */
export const wholeCost = "CASE WHEN costed_calls = calls THEN cost_usd END AS cost_usd";
