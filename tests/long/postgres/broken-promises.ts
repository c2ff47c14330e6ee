import { setTimeout as sleep } from "node:timers/promises";
import type { CountingUpstream } from "../../crash/counting-upstream.ts";
import {
  type AcceptedCancel,
  callsAfterCancels,
  cancelsWithoutFence,
  lateOnes,
  type Wait,
  waitsAfterDeaths,
  waitsForClaims,
  waitsForEnds,
  waitsForSlices,
} from "./judge-nodes.ts";
import type { GuestResults } from "./keyed-guests.ts";
import { runOn } from "./open-store.ts";
import type { Timeline } from "./timeline.ts";

/** Descriptions of the faults against each of these promises. */
export interface BrokenPromises {
  readonly afterCancel: readonly string[];
  readonly fencelessCancels: readonly string[];
  readonly overspent: readonly string[];
  readonly afterRevocation: readonly string[];
  readonly reusedTickets: readonly string[];
  readonly movedBack: readonly string[];
  readonly unowned: readonly string[];
  readonly foreign: readonly string[];
}

interface Evidence {
  readonly databaseUrl: string;
  readonly timeline: Timeline;
  readonly cancels: readonly AcceptedCancel[];
  /** From a death to the next event or the end, as clients saw it. */
  readonly gaps: readonly Wait[];
  readonly upstream: Pick<CountingUpstream, "requests" | "cancelled">;
  readonly guests: Pick<GuestResults, "afterRevocation" | "reusedTickets">;
  /** Messages of one owner that another was sent. */
  readonly foreign: readonly string[];
  /** Tokens that a call may use beyond the budget of its key. */
  readonly reservation: number;
  /** See `wrongSums`. */
  readonly sums: readonly string[];
}

/** While the node of an answer in the background is dead, nothing can stop the provider. So answers that were taken over do not count. */
const overspentKeys = `SELECT key_id, used, tokens_per_day FROM (
    SELECT key_id, sum(input_tokens + output_tokens) AS used FROM usage
    WHERE NOT EXISTS (SELECT 1 FROM seen_owners o WHERE o.id = request_id AND o.before IS NOT NULL AND o.after IS NOT NULL)
    GROUP BY key_id) AS spent
  JOIN keys ON id = key_id WHERE used > tokens_per_day + $1`;
const wrongPurses = `SELECT * FROM (
    SELECT p.name, p.spent,
      (SELECT json_object_agg(incarnation, s.spent)::text FROM purse_slices s WHERE s.day = p.day AND s.name = p.name) AS slices,
      (SELECT json_object_agg(node, tokens)::text FROM (SELECT node, sum(input_tokens + output_tokens) AS tokens
        FROM usage u WHERE u.day = p.day AND u.key_id = k.id GROUP BY node) AS of_node) AS usage,
      p.spent + coalesce((SELECT sum(s.spent) FROM purse_slices s WHERE s.day = p.day AND s.name = p.name), 0) AS total_spent,
      coalesce((SELECT sum(input_tokens + output_tokens) FROM usage u WHERE u.day = p.day AND u.key_id = k.id), 0) AS total_usage
    FROM purses p JOIN keys k ON 'key ' || k.id = p.name WHERE k.tokens_per_day IS NOT NULL) AS sums
  WHERE total_spent <> total_usage`;
/** A node counts the slices of the dead again within this time, at the latest. */
const recountMs = 20_000;
const leftSlices = `SELECT incarnation, name FROM purse_slices s
  WHERE NOT EXISTS (SELECT 1 FROM fences f WHERE f.incarnation = s.incarnation)`;

/** The budgets of keys whose slices do not add up to the usage. */
export async function wrongSums(databaseUrl: string): Promise<string[]> {
  return (await runOn(databaseUrl, wrongPurses)).map((row) => JSON.stringify(row));
}

/** The same, once the nodes have had time to count. For nodes that run, without any turn that runs. */
export async function wrongSumsAtLast(databaseUrl: string): Promise<string[]> {
  for (const untilMs = Date.now() + recountMs; ; await sleep(200)) {
    const wrong = await wrongSums(databaseUrl);
    if (wrong.length === 0 || Date.now() > untilMs) return wrong;
  }
}

/** Judges a run from the notes of its database (see `watchNodes`), of its provider and of its clients. */
export async function findBroken(evidence: Evidence): Promise<BrokenPromises> {
  const { databaseUrl, timeline, cancels, gaps, upstream, guests, reservation, foreign, sums } = evidence;
  const described = async (sql: string, values: readonly unknown[] = []) =>
    (await runOn(databaseUrl, sql, values)).map((row) => JSON.stringify(row));
  const left = (await runOn(databaseUrl, leftSlices)).map(({ incarnation, name }) => ({
    incarnation: Number(incarnation),
    name: String(name),
  }));
  return {
    afterCancel: [
      ...callsAfterCancels(cancels, upstream.requests, timeline),
      ...lateOnes(waitsForEnds(cancels, timeline), timeline),
    ],
    fencelessCancels: cancelsWithoutFence(upstream.cancelled, timeline),
    overspent: [
      ...sums,
      ...(await described(overspentKeys, [reservation])),
      ...(await described("SELECT * FROM wrong_slices")),
      ...lateOnes(waitsForSlices(left, timeline), timeline),
    ],
    afterRevocation: guests.afterRevocation,
    reusedTickets: guests.reusedTickets,
    movedBack: await described("SELECT * FROM wrong_heads"),
    foreign,
    unowned: lateOnes([...waitsForClaims(timeline), ...waitsAfterDeaths(gaps, timeline)], timeline),
  };
}
