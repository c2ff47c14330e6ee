import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ask, endsOf, startBudgetStage } from "./budget-stage.ts";

const own = { type: "function", name: "f", parameters: {} };
const hosted = [
  "web_search",
  "web_search_preview",
  "file_search",
  "code_interpreter",
  "image_generation",
  "computer_use_preview",
  "mcp",
  "local_shell",
  "a_tool_of_next_year",
];
const refused: readonly (readonly [string, string, object])[] = [
  ...hosted.map((type) => [type, "data.tools.1", { tools: [own, { type }] }] as const),
  ...["scale", "priority", "fast", "ultrafast"].map(
    (service_tier) => [service_tier, "data.options.service_tier", { options: { service_tier } }] as const,
  ),
  ["a stored prompt", "data.options.prompt", { options: { prompt: { id: "pmpt_1" } } }],
];
const money = { moneyPerDay: 1, fallbackPrice: { input: 1, output: 1 } };

describe("a limit of money", () => {
  it("refuses a request by its field if a part has no price, before anything is stored or counted", async () => {
    await using stage = await startBudgetStage({ ...money, maxRequests: 1, requestsPerMinute: 1 });
    const client = await stage.server.connect();
    for (const [name, field, data] of refused) {
      client.send(ask("dear", data));
      const [error] = await endsOf(client, ["dear"]);
      assert.ok(error?.type === "error", name);
      assert.deepEqual(
        [error.code, error.field, error.seq, error.retryable],
        ["invalid_message", field, undefined, false],
      );
      assert.match(error.message, /Money is limited here, and there is no price for /);
      client.send({ type: "resume", data: { request_id: "dear", after_seq: 0 } });
      const unknown = await client.next(({ type }) => type === "error");
      assert.ok(unknown.type === "error" && unknown.code === "request_not_found");
    }
    assert.equal(stage.upstream.requests.length, 0);
    assert.deepEqual(await stage.rows(), []);
    // None of them took a place or the one request per minute.
    client.send(ask("good", { budget_tokens: 100 }));
    const [end] = await endsOf(client, ["good"]);
    assert.ok(end?.type === "response" && end.finish_reason === "budget");
  });

  it("lets tools of the client and tiers that cost no more through", async () => {
    await using stage = await startBudgetStage(money);
    const client = await stage.server.connect();
    for (const [index, data] of [
      { tools: [own, { type: "custom", name: "g" }] },
      ...["auto", "default", "flex"].map((service_tier) => ({ options: { service_tier } })),
    ].entries()) {
      client.send(ask(`r-${index}`, { ...data, budget_tokens: 100 }));
      const [end] = await endsOf(client, [`r-${index}`]);
      assert.equal(end?.type, "response");
    }
  });

  it("is the only reason: without it all of them go to the provider", async () => {
    await using stage = await startBudgetStage({ serverTokensPerDay: 1_000_000, foreignVendorIds: true });
    const client = await stage.server.connect();
    for (const [index, [name, , data]] of refused.entries()) {
      client.send(ask(`r-${index}`, { ...data, budget_tokens: 200 }));
      const [end] = await endsOf(client, [`r-${index}`]);
      assert.equal(end?.type, "response", name);
    }
    assert.equal(stage.upstream.requests.length, refused.length);
  });
});
