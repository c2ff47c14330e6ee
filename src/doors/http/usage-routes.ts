import { Hono } from "hono";
import { z } from "zod";
import type { DayNumber, UsageSum, UsageSums } from "../../ports/usage-store.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ApiRoutes } from "./api-routes.ts";
import { decodeInput } from "./decode-input.ts";

export interface UsageRoutesOptions {
  readonly usage: UsageSums;
  /** The day whose budget is in use. */
  readonly today: () => Promise<DayNumber>;
}

const dayMs = 24 * 3_600_000;
/** Days of an answer if the request names no first day, and max days. */
const usualDays = 30;
const mostDays = 366;

const day = z.iso.date().transform((date): DayNumber => Date.parse(date) / dayMs);
const usageQuery = z.object({ from: day.optional(), to: day.optional() });

/** Routes for the usage of the caller's requests, summed by day and model. Throws `invalid_message`. */
export function createUsageRoutes({ usage, today }: UsageRoutesOptions): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  routes.get("/", async (context) => {
    const query = decodeInput(usageQuery, context.req.query(), "query");
    const { to = await today(), from = to - usualDays + 1 } = query;
    if (from > to || to - from >= mostDays)
      throw new TroupeError("invalid_message", {
        field: "from",
        detail: `from: at most ${mostDays} days before to.`,
      });
    const sums = await usage.sums(context.get("caller").owner, from, to);
    return context.json({ from: encodeDay(from), to: encodeDay(to), usage: sums.map(encodeSum) });
  });
  return routes;
}

function encodeSum({ day, api, model, calls, inputTokens, outputTokens, estimated }: UsageSum) {
  return {
    day: encodeDay(day),
    api,
    model,
    calls,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    estimated,
  };
}

function encodeDay(day: DayNumber): string {
  return new Date(day * dayMs).toISOString().slice(0, 10);
}
