import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { Hono } from "hono";
import type { ModelPrice, Prices } from "../../ports/prices.ts";
import type { ListedApi } from "../../ports/provider.ts";
import type { ApiRoutes } from "./api-routes.ts";

export interface ModelRoutesOptions {
  /** Every `api` with its models. Never rejects. */
  readonly listModels: () => Promise<readonly ListedApi[]>;
  readonly prices: Prices;
}

/** Max models in one answer, so that it has at most some megabytes. */
const maxModels = 4_000;
/** Models that are priced at once: other callers run before the next ones. A price takes up to a tenth of a millisecond. */
const modelsAtOnce = 50;

/** The route that lists the endpoints and their models, for every caller. */
export function createModelRoutes({ listModels, prices }: ModelRoutesOptions): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  routes.get("/", async (context) => {
    const endpoints: object[] = [];
    let priced = 0;
    for (const listed of await listModels()) {
      const models: object[] = [];
      for (const { id, isListed } of listed.models.slice(0, maxModels - priced)) {
        if (priced % modelsAtOnce === 0) await nextLoopTurn();
        priced += 1;
        const price = encodePrice(prices.priceOf({ api: listed.api, model: id }));
        models.push({ id, listed: isListed, price });
      }
      endpoints.push({ ...encodeApi(listed), models });
    }
    return context.json({ endpoints });
  });
  return routes;
}

function encodeApi(listed: ListedApi) {
  return {
    api: listed.api,
    is_default: listed.isDefault,
    configured: listed.isConfigured,
    simulated: listed.simulated,
    reachable: listed.isReachable ?? null,
    ...(listed.problem === undefined ? {} : { problem: listed.problem }),
    ...(listed.defaultModel === undefined ? {} : { default_model: listed.defaultModel }),
  };
}

/** A model without a known price is not free. */
function encodePrice(price: ModelPrice | undefined) {
  if (price === undefined) return null;
  const { input, cachedInput, cacheWrite, output } = price.at(0);
  return {
    input,
    ...(cachedInput === undefined ? {} : { cached_input: cachedInput }),
    ...(cacheWrite === undefined ? {} : { cache_write: cacheWrite }),
    output,
    approximate: price.approximate,
  };
}
