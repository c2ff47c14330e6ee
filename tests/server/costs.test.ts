import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { roundedUsd } from "../../src/ports/prices.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { chunk, done, finish, frame, text } from "../adapters/chat-completions/chat-setup.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { streamHead } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";

const usage = {
  ...{ prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 },
  prompt_tokens_details: { cached_tokens: 400 },
  completion_tokens_details: { reasoning_tokens: 30 },
};
const told = {
  ...{
    input_tokens: 1_000,
    cached_tokens: 400,
    output_tokens: 100,
    reasoning_tokens: 30,
    total_tokens: 1_100,
  },
  estimated: false,
};
/** GPT-4o mini costs 0.15, cached 0.075, and 0.60 for output. */
const miniCost = { usd: 0.00018, approximate: false };

/** An answer of a model with these counts. */
function answering(upstream: UpstreamDouble, model: string, counts: object = usage): void {
  const around = { model };
  upstream.respond([
    streamHead(),
    { write: chunk({ content: "Hi." }, {}, around) },
    { write: chunk({}, { finish_reason: "stop" }, around) },
    { write: frame({ id: "c-1", choices: [], model, usage: counts }) + done },
  ]);
}

/** A server with one endpoint, a gateway that has the prices of OpenAI. */
async function start(
  upstream: UpstreamDouble,
  options: TroupeOptions = {},
  fields: object = { pricedAs: "openai" },
) {
  const house = {
    kind: "chat-completions" as const,
    baseUrl: upstream.baseUrl,
    model: "gpt-4o-mini",
    ...fields,
  };
  const clock = createTestClock({ instantMs: 1_000 });
  const { configuration, ...others } = options;
  return startTroupe({
    ...{ clock, pacing: "raw", ...others },
    configuration: { ...configuration, providers: { house } },
  });
}

async function end(client: WireClient, ask: object) {
  client.send(ask);
  const message = await client.next(({ type }) => type === "response" || type === "error");
  return message as ServerMessage & { readonly data?: Record<string, unknown> };
}

async function modelsOf({ httpUrl }: RunningTroupe) {
  const { endpoints } = (await (await fetch(`${httpUrl}/api/models`)).json()) as {
    endpoints: { models: { id: string; price: unknown }[] }[];
  };
  return endpoints.flatMap(({ models }) => models);
}

const question = { type: "openai_chat", data: { input_text: "Hi" } };
const toTeacher = { type: "chat", data: { message: "Hi", persona_id: "teacher" } };
const toTwo = { type: "multi_chat", data: { message: "Hi", persona_ids: ["teacher", "tech_enthusiast"] } };

describe("the cost of an answer", () => {
  it("is told with its usage in every kind of answer, with cached input and reasoning", async () => {
    await using upstream = await createUpstreamDouble();
    await using server = await start(upstream);
    const client = await server.connect();
    answering(upstream, "gpt-4o-mini-2024-07-18");
    const plain = await end(client, question);
    assert.deepEqual(plain.data?.cost, miniCost);
    const chat = await end(client, toTeacher);
    assert.deepEqual([chat.data?.usage, chat.data?.cost], [told, miniCost]);
    const multi = await end(client, toTwo);
    const twice = {
      ...told,
      input_tokens: 2_000,
      cached_tokens: 800,
      output_tokens: 200,
      reasoning_tokens: 60,
    };
    assert.deepEqual(multi.data?.usage, { ...twice, total_tokens: 2_200 });
    assert.deepEqual(multi.data?.cost, { usd: 0.00036, approximate: false });
  });

  it("is null, and not 0, for a model without a price, for a server that is no vendor, and for a local one", async () => {
    await using upstream = await createUpstreamDouble();
    answering(upstream, "gpt-4o-mini");
    for (const [fields, more] of [
      [{ pricedAs: "openai" }, { model: "house-model" }],
      [{}, {}],
    ] as const) {
      if ("model" in more) answering(upstream, "house-model");
      await using server = await start(upstream, {}, fields);
      const client = await server.connect();
      const { data } = await end(client, { ...question, data: { ...question.data, ...more } });
      assert.equal(data?.cost, null);
    }
  });

  it("is approximate by the price of a similar model", async () => {
    await using upstream = await createUpstreamDouble();
    await using server = await start(upstream, {}, { pricedAs: "anthropic", model: "claude-sonnet-5-5" });
    const client = await server.connect();
    answering(upstream, "claude-sonnet-5-5");
    assert.deepEqual((await end(client, question)).data?.cost, { usd: 0.00228, approximate: true });
  });

  it("is by the operator's own price first, in the config file or in TROUPE_PRICES", async () => {
    await using upstream = await createUpstreamDouble();
    answering(upstream, "gpt-4o-mini-2024-07-18");
    const prices = { "gpt-4o-mini": { input: 1, cachedInput: 0.5, output: 10 } };
    await using filed = await start(upstream, { configuration: { prices } });
    const inFile = await end(await filed.connect(), question);
    assert.deepEqual(inFile.data?.cost, { usd: 0.0018, approximate: false });
    const own = [{ model: "gpt-4o-mini", price: { input: 2, output: 10 } }];
    await using both = await start(upstream, { configuration: { prices }, prices: own });
    const inSettings = await end(await both.connect(), question);
    assert.deepEqual(inSettings.data?.cost, { usd: 0.003, approximate: false });
    const shown = (await modelsOf(filed)).find(({ id }) => id === "gpt-4o-mini");
    assert.deepEqual(shown?.price, { input: 1, cached_input: 0.5, output: 10, approximate: false });
  });

  it("is what the vendor itself tells, if it does", async () => {
    await using upstream = await createUpstreamDouble();
    await using server = await start(upstream);
    answering(upstream, "gpt-4o-mini", { ...usage, cost_in_usd_ticks: 12_345 });
    const { data } = await end(await server.connect(), question);
    assert.deepEqual(data?.cost, { usd: 0.0000012345, approximate: false });
  });

  it("counts a stopped answer by its estimated tokens", async () => {
    await using upstream = await createUpstreamDouble();
    await using server = await start(upstream);
    const client = await server.connect();
    upstream.respond([
      streamHead(),
      { write: text("sixteen letters ") + text("sixteen letters ") },
      { hang: true },
    ]);
    client.send({ ...toTeacher, id: "a" });
    await client.next(({ type }) => type === "chunk");
    const { data } = await end(client, { type: "cancel", data: { request_id: "a" } });
    const stopped = data as { usage: { output_tokens: number; estimated: boolean }; cost: { usd: number } };
    const { output_tokens: output, estimated } = stopped.usage;
    assert.ok(estimated && output > 0 && stopped.cost.usd > (output * 0.6) / 1e6, JSON.stringify(data));
  });
});

describe("a limit of money", () => {
  it("counts by published prices, and refuses a model without one", async () => {
    await using upstream = await createUpstreamDouble();
    // Room for a call of a thousandth of a cent, and not for a second one.
    await using server = await start(upstream, { moneyPerDay: 0.0002 });
    const client = await server.connect();
    answering(upstream, "gpt-4o-mini");
    const unpriced = await end(client, { ...question, data: { input_text: "Hi", model: "house-model" } });
    assert.ok(unpriced.type === "error" && unpriced.code === "budget_exhausted");
    assert.match(unpriced.message, /this model has no price/);
    assert.equal(upstream.requests.length, 0);
    const paid = await end(client, question);
    assert.deepEqual(paid.data?.cost, miniCost);
    // 20 millionths of a dollar are left: 33 tokens of output beside the question.
    const next = upstream.requests.length;
    upstream.respond([streamHead(), { write: text("A") + finish("length") + done }]);
    const cut = await end(client, question);
    assert.ok(cut.type === "response" && cut.finish_reason === "budget");
    const left = Number((upstream.requests[next]?.body as { max_tokens?: number } | undefined)?.max_tokens);
    assert.ok(left >= 30 && left <= 33, String(left));
  });

  it("counts the recorded costs after a restart, and not its own prices", async () => {
    await using place = await createDataFolder();
    await using upstream = await createUpstreamDouble();
    const options = { moneyPerDay: 0.0006, store: "sqlite", data: place.folder } as const;
    {
      await using server = await start(upstream, options);
      // The vendor tells its own cost.
      answering(upstream, "gpt-4o-mini", { ...usage, cost_in_usd_ticks: 5_000_000 });
      const paid = await end(await server.connect(), question);
      assert.deepEqual(paid.data?.cost, { usd: 0.0005, approximate: false });
    }
    await using server = await start(upstream, options);
    upstream.respond([streamHead(), { write: text("A") + finish("length") + done }]);
    const next = upstream.requests.length;
    const cut = await end(await server.connect(), question);
    assert.ok(cut.type === "response", JSON.stringify(cut));
    const left = Number((upstream.requests[next]?.body as { max_tokens?: number } | undefined)?.max_tokens);
    assert.ok(left >= 160 && left <= 0.0001 / 0.6e-6, String(left));
  });
});

describe("the sums of usage", () => {
  it("tell the costs by model, day, key, conversation, request and call", async () => {
    await using upstream = await createUpstreamDouble();
    await using server = await start(upstream);
    const client = await server.connect();
    const costs = async (group: string) => {
      const response = await fetch(`${server.httpUrl}/api/usage?group_by=${group}`);
      const { usage: sums } = (await response.json()) as { usage: Record<string, unknown>[] };
      return sums.map(
        ({ input_tokens, output_tokens, total_tokens, estimated, ...fields }) => fields as object,
      );
    };
    answering(upstream, "gpt-4o-mini");
    const both = { message: "Hi", persona_ids: ["teacher", "historian"] };
    const { conversation_id } = (await end(client, { type: "multi_chat", id: "r-1", data: both })).data ?? {};
    await end(client, { ...question, id: "r-2" });
    answering(upstream, "house-model");
    await end(client, { ...question, id: "r-3", data: { input_text: "Hi", model: "house-model" } });
    await end(client, { ...question, id: "r-4", data: { input_text: "Hi", options: { store: false } } });

    const known = (calls: number) => ({ usd: roundedUsd(miniCost.usd * calls), approximate: false });
    // Another model answered the last call, so its price is a guess.
    const all = { ...known(4), approximate: true, unknown_calls: 1 };
    assert.equal(typeof conversation_id, "string");
    const day = "2023-11-14";
    assert.deepEqual(await costs("model"), [
      {
        ...{ day, api: "house", model: "gpt-4o-mini", calls: 4 },
        cost: { ...known(4), approximate: true, unknown_calls: 0 },
      },
      {
        ...{ day, api: "house", model: "house-model", calls: 1 },
        cost: { usd: null, approximate: false, unknown_calls: 1 },
      },
    ]);
    assert.deepEqual(await costs("day"), [{ day, calls: 5, cost: all }]);
    assert.deepEqual(await costs("key"), [{ key_id: "anonymous", calls: 5, cost: all }]);
    assert.deepEqual(await costs("conversation"), [
      { conversation_id: null, calls: 3, cost: { ...known(2), approximate: true, unknown_calls: 1 } },
      { conversation_id, calls: 2, cost: { ...known(2), unknown_calls: 0 } },
    ]);
    const unknown = { usd: null, approximate: false, unknown_calls: 1 };
    assert.deepEqual(await costs("request"), [
      {
        conversation_id: null,
        request_id: null,
        calls: 1,
        cost: { ...known(1), approximate: true, unknown_calls: 0 },
      },
      { conversation_id: null, request_id: "r-2", calls: 1, cost: { ...known(1), unknown_calls: 0 } },
      { conversation_id: null, request_id: "r-3", calls: 1, cost: unknown },
      { conversation_id, request_id: "r-1", calls: 2, cost: { ...known(2), unknown_calls: 0 } },
    ]);
    const calls = await costs("call");
    assert.deepEqual(
      calls.map((call) => Object.keys(call).join(" ")),
      calls.map(() => "day at call_id conversation_id request_id key_id api model outcome calls cost"),
    );
    const refused = await fetch(`${server.httpUrl}/api/usage?group_by=owner`);
    assert.equal(refused.status, 400);
  });
});
