import assert from "node:assert/strict";
import { it } from "node:test";
import { createModelRoutes } from "../../../src/doors/http/model-routes.ts";
import type { ListedApi } from "../../../src/ports/provider.ts";

function listed(api: string, count: number): ListedApi {
  const models = Array.from({ length: count }, (_, index) => ({ id: `m-${index}`, isListed: true }));
  return { api, isDefault: false, isConfigured: true, simulated: false, isReachable: undefined, models };
}

it("lets other callers run while it prices a long list, and many short ones", async () => {
  for (const list of [
    [listed("one", 500)],
    Array.from({ length: 100 }, (_, index) => listed(`${index}`, 5)),
  ]) {
    let inTurn = 0;
    let most = 0;
    const priceOf = () => {
      if (inTurn === 0) setImmediate(() => (inTurn = 0));
      inTurn += 1;
      most = Math.max(most, inTurn);
      return undefined;
    };
    const routes = createModelRoutes({ listModels: async () => list, prices: { priceOf } });
    const answer = await routes.request("/");
    const { endpoints } = (await answer.json()) as { endpoints: { models: unknown[] }[] };
    assert.equal(endpoints.flatMap(({ models }) => models).length, 500);
    assert.ok(most <= 50, `${most} models were priced at once`);
  }
});

it("answers with at most 4,000 models", async () => {
  const list = [listed("one", 3_999), listed("two", 2), listed("three", 1)];
  const routes = createModelRoutes({ listModels: async () => list, prices: { priceOf: () => undefined } });
  const answer = await routes.request("/");
  const { endpoints } = (await answer.json()) as { endpoints: { models: unknown[] }[] };
  assert.deepEqual(
    endpoints.map(({ models }) => models.length),
    [3_999, 1, 0],
  );
});
