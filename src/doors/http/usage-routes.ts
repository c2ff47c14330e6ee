import { Hono } from "hono";
import { z } from "zod";
import { faultsOf, type Observer } from "../../ports/observer.ts";
import { roundedUsd } from "../../ports/prices.ts";
import {
  type DayNumber,
  placeOfSum,
  type SumPlace,
  sumsOfPage,
  type UsageGroup,
  type UsageSum,
  type UsageSums,
  usageGroups,
} from "../../ports/usage-store.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ApiRoutes } from "./api-routes.ts";
import { decodeInput } from "./decode-input.ts";
import { streamedBody } from "./streamed-body.ts";

export interface UsageRoutesOptions {
  readonly usage: UsageSums;
  /** The day whose budget is in use. */
  readonly today: () => Promise<DayNumber>;
  /** Is told if a body could not be written to its end. */
  readonly observer: Observer;
}

const dayMs = 24 * 3_600_000;
/** Days of an answer if the request names no first day, and max days. */
const usualDays = 30;
const maxDays = 366;

const day = z.iso.date().transform((date): DayNumber => Date.parse(date) / dayMs);
const usageQuery = z.object({
  from: day.optional(),
  to: day.optional(),
  group_by: z.enum(usageGroups).optional(),
});

/** Routes for the usage of the caller's requests, summed up by day and model or in other groups. Throws `invalid_message`. */
export function createUsageRoutes({ usage, today, observer }: UsageRoutesOptions): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  routes.get("/", async (context) => {
    const query = decodeInput(usageQuery, context.req.query(), "query");
    const { to = await today(), from = to - usualDays + 1, group_by: group = "model" } = query;
    if (from > to || to - from >= maxDays)
      throw new TroupeError("invalid_message", {
        field: "from",
        detail: `from: at most ${maxDays} days before to.`,
      });
    const { owner } = context.get("caller");
    const read = (after?: SumPlace) => usage.sums(owner, from, to, group, after);
    const days = { from: encodeDay(from), to: encodeDay(to) };
    // A fault of the first page is still answered with a status.
    const body = encodeUsage({ days, group, first: await read(), read });
    return context.body(streamedBody(body, context.env, faultsOf(observer, "http")), 200, {
      "content-type": "application/json",
    });
  });
  return routes;
}

interface ReadUsage {
  readonly days: { readonly from: string; readonly to: string };
  readonly group: UsageGroup;
  readonly first: readonly UsageSum[];
  readonly read: (after: SumPlace) => Promise<readonly UsageSum[]>;
}

/** All sums as JSON, a page at a time: callers name models and requests, so there is no limit to their number. */
async function* encodeUsage({ days, group, first, read }: ReadUsage): AsyncGenerator<string> {
  yield `${JSON.stringify(days).slice(0, -1)},"usage":[`;
  yield encodeSums(group, first);
  for (let last = lastOfFull(first); last !== undefined; ) {
    const sums = await read(placeOfSum(group, last));
    if (sums.length > 0) yield `,${encodeSums(group, sums)}`;
    last = lastOfFull(sums);
  }
  yield "]}";
}

/** The last sum of a page that others may follow. */
function lastOfFull(sums: readonly UsageSum[]): UsageSum | undefined {
  return sums.length < sumsOfPage ? undefined : sums.at(-1);
}

function encodeSums(group: UsageGroup, sums: readonly UsageSum[]): string {
  return sums.map((sum) => JSON.stringify(encodeSum(group, sum))).join(",");
}

function encodeSum(group: UsageGroup, sum: UsageSum) {
  const { calls, inputTokens, outputTokens, estimated, cost } = sum;
  const { usd, approximate, unknownCalls } = cost;
  return {
    ...encodeFields(group, sum),
    calls,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    estimated,
    cost: { usd: usd === undefined ? null : roundedUsd(usd), approximate, unknown_calls: unknownCalls },
  };
}

/** The fields that tell a group's sums apart. An id that is not known is `null`. */
function encodeFields(group: UsageGroup, sum: UsageSum) {
  const { api, model, keyId: key_id, callId: call_id, atMs = 0, outcome = null } = sum;
  const { conversationId: conversation_id = null, requestId: request_id = null } = sum;
  const day = encodeDay(sum.day ?? 0);
  switch (group) {
    case "model":
      return { day, api, model };
    case "day":
      return { day };
    case "key":
      return { key_id };
    case "conversation":
      return { conversation_id };
    case "request":
      return { conversation_id, request_id };
    case "call": {
      const at = new Date(atMs).toISOString();
      return { day, at, call_id, conversation_id, request_id, key_id, api, model, outcome };
    }
  }
}

function encodeDay(day: DayNumber): string {
  return new Date(day * dayMs).toISOString().slice(0, 10);
}
