import { Hono } from "hono";
import { z } from "zod";
import { faultsOf, type Observer } from "../../ports/observer.ts";
import {
  type DayNumber,
  type SumPlace,
  sumsOfPage,
  type UsageSum,
  type UsageSums,
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
const usageQuery = z.object({ from: day.optional(), to: day.optional() });

/** Routes for the usage of the caller's requests, summed by day and model. Throws `invalid_message`. */
export function createUsageRoutes({ usage, today, observer }: UsageRoutesOptions): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  routes.get("/", async (context) => {
    const query = decodeInput(usageQuery, context.req.query(), "query");
    const { to = await today(), from = to - usualDays + 1 } = query;
    if (from > to || to - from >= maxDays)
      throw new TroupeError("invalid_message", {
        field: "from",
        detail: `from: at most ${maxDays} days before to.`,
      });
    const { owner } = context.get("caller");
    const read = (after?: SumPlace) => usage.sums(owner, from, to, after);
    // A fault of the first page is still answered with a status.
    const body = encodeUsage({ from: encodeDay(from), to: encodeDay(to) }, await read(), read);
    return context.body(streamedBody(body, context.env, faultsOf(observer, "http")), 200, {
      "content-type": "application/json",
    });
  });
  return routes;
}

/** All sums as JSON, a page at a time: callers name models, so there is no limit to their number. */
async function* encodeUsage(
  days: { readonly from: string; readonly to: string },
  first: readonly UsageSum[],
  read: (after: SumPlace) => Promise<readonly UsageSum[]>,
): AsyncGenerator<string> {
  yield `${JSON.stringify(days).slice(0, -1)},"usage":[`;
  yield encodeSums(first);
  for (let last = lastOfFull(first); last !== undefined; ) {
    const sums = await read({ day: last.day, api: last.api, model: last.model });
    if (sums.length > 0) yield `,${encodeSums(sums)}`;
    last = lastOfFull(sums);
  }
  yield "]}";
}

/** The last sum of a page that others may follow. */
function lastOfFull(sums: readonly UsageSum[]): UsageSum | undefined {
  return sums.length < sumsOfPage ? undefined : sums.at(-1);
}

function encodeSums(sums: readonly UsageSum[]): string {
  return sums.map((sum) => JSON.stringify(encodeSum(sum))).join(",");
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
