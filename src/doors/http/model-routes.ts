import { Hono } from "hono";
import type { ModelPrice, Prices } from "../../ports/prices.ts";
import type { ListedApi } from "../../ports/provider-catalog.ts";
import type { ApiRoutes } from "./api-routes.ts";

export interface ModelRoutesOptions {
  /** Every `api` with its models. Never rejects. */
  readonly listModels: () => Promise<readonly ListedApi[]>;
  readonly prices: Prices;
}

/** Max models in one answer, so that it has at most some megabytes. */
const maxModels = 4_000;

/** The route that lists the endpoints and their models, for every caller. */
export function createModelRoutes({ listModels, prices }: ModelRoutesOptions): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  routes.get("/", async (context) => {
    let room = maxModels;
    const endpoints = (await listModels()).map((listed) => {
      const models = listed.models.slice(0, room);
      room -= models.length;
      return encodeApi({ ...listed, models }, prices);
    });
    return context.json({ endpoints });
  });
  return routes;
}

function encodeApi(listed: ListedApi, prices: Prices) {
  return {
    api: listed.api,
    is_default: listed.isDefault,
    configured: listed.isConfigured,
    simulated: listed.simulated,
    reachable: listed.isReachable ?? null,
    ...(listed.problem === undefined ? {} : { problem: listed.problem }),
    ...(listed.defaultModel === undefined ? {} : { default_model: listed.defaultModel }),
    models: listed.models.map(({ id, isListed }) => ({
      ...{ id, listed: isListed },
      price: encodePrice(prices.priceOf({ api: listed.api, model: id })),
    })),
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
