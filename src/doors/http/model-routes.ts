import { Hono } from "hono";
import type { ListedApi } from "../../ports/provider-catalog.ts";
import type { ApiRoutes } from "./api-routes.ts";

export interface ModelRoutesOptions {
  /** Every `api` with its models. Never rejects. */
  readonly listModels: () => Promise<readonly ListedApi[]>;
}

/** Max models in one answer, so that it has at most some megabytes. */
const maxModels = 4_000;

/** The route that lists the endpoints and their models, for every caller. */
export function createModelRoutes({ listModels }: ModelRoutesOptions): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  routes.get("/", async (context) => {
    let room = maxModels;
    const endpoints = (await listModels()).map((listed) => {
      const models = listed.models.slice(0, room);
      room -= models.length;
      return encodeApi({ ...listed, models });
    });
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
    // No figure is known yet. A model without a price is not free.
    models: listed.models.map(({ id, isListed }) => ({ id, listed: isListed, price: null })),
  };
}
