import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { Provider } from "../../src/ports/provider.ts";
import { startCluster } from "../support/start-cluster.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";
import { partialCatalog } from "./partial-catalog.ts";

const keys = { ada: "ada-0123456789abcdef", bob: "bob-0123456789abcdef" };
const apiKeys = Object.entries(keys).map(([owner, key]) => ({ owner, key }));
const provider: Provider = {
  name: "scripted",
  simulated: false,
  async *stream() {
    yield [
      { type: "text", text: "Fine." },
      { type: "end", finishReason: "stop", model: "m" },
    ];
  },
};
const providers = partialCatalog(provider);
/** One place of each kind, so that one leaked place is noticed at once. */
const onePlace: TroupeOptions = {
  maxRequests: 1,
  maxRequestsPerOwner: 1,
  maxRequestsPerKey: 1,
  maxRequestsPerConnection: 1,
};

const chat = (changes: object) => ({
  type: "chat",
  data: { message: "Hi", persona_id: "teacher", ...changes },
});
const several = (...persona_ids: string[]) => ({ type: "multi_chat", data: { message: "Hi", persona_ids } });
const refusals: readonly (readonly [string, object])[] = [
  ["persona_not_found", chat({ persona_id: "nobody" })],
  ["persona_not_found", several("teacher", "nobody")],
  ["persona_repeated", several("teacher", "teacher")],
  ["conversation_not_found", chat({ conversation_id: "never" })],
  ["provider_not_configured", chat({ api: "none" })],
  ["internal_error", chat({ api: "broken" })],
  ["invalid_message", { type: "openai_chat", data: { input_text: "Hi", tools: [{ type: "web_search" }] } }],
  ["invalid_message", { type: "openai_chat", data: { input_text: "" } }],
];

/** How a frame was answered: the code of its refusal, or the fact that it reached its end. */
async function answerTo(client: WireClient, frame: object): Promise<string> {
  client.send(frame);
  const end = await client.next(({ type }) => type === "error" || type === "response");
  return end.type === "error" ? end.code : end.type;
}

const as = (server: RunningTroupe, who: keyof typeof keys) =>
  server.connect({ headers: { authorization: `Bearer ${keys[who]}` } });

const kinds = {
  async "a server"(options: TroupeOptions) {
    const server = await startTroupe(options);
    return { server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  },
  async "a worker of several"(options: TroupeOptions) {
    const cluster = await startCluster(2, options, { maxInAll: 1, maxPerOwner: 1 });
    const [server] = cluster.servers;
    if (server === undefined) throw new Error("There is no worker.");
    return { server, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
  },
};

for (const [kind, start] of Object.entries(kinds)) {
  describe(`a refusal gives its place back, of ${kind}`, () => {
    const options = {
      ...onePlace,
      apiKeys,
      providers,
      moneyPerDay: 1,
      fallbackPrice: { input: 0, output: 0 },
    };
    for (const [code, frame] of refusals)
      for (const id of [undefined, "named"])
        it(`${code} of ${JSON.stringify(frame)}${id === undefined ? "" : " with an id"}`, async () => {
          await using system = await start({ ...options, clock: createTestClock({ instantMs: 1_000 }) });
          const client = await as(system.server, "ada");
          for (let round = 0; round < 3; round += 1)
            assert.equal(await answerTo(client, { ...frame, ...(id === undefined ? {} : { id }) }), code);
          assert.equal(system.server.troupe.stats().turns, 0);
          assert.equal(await answerTo(client, chat({})), "response");
          assert.equal(await answerTo(await as(system.server, "bob"), chat({})), "response");
        });

    it("of a minute and of a day, for all others and for their own caller", async () => {
      for (const [limit, code, passesMs] of [
        [{ requestsPerMinute: 1 }, "request_rate_exceeded", 60_000],
        [{ tokensPerDay: 31 }, "day_budget_spent", 24 * 3_600_000],
      ] as const) {
        const clock = createTestClock({ instantMs: 1_000 });
        await using system = await start({ ...onePlace, apiKeys, providers, ...limit, clock });
        const client = await as(system.server, "ada");
        const ask = { type: "openai_chat", data: { input_text: "Hi ".repeat(20) } };
        let last = "response";
        for (let round = 0; round < 5 && last === "response"; round += 1) last = await answerTo(client, ask);
        assert.equal(last, code);
        assert.equal(await answerTo(client, ask), code);
        assert.equal(await answerTo(await as(system.server, "bob"), ask), "response");
        await clock.advance(passesMs);
        assert.equal(await answerTo(client, ask), "response");
      }
    });

    it("of an id that is taken, by the same request and by another", async () => {
      await using system = await start({ ...options, clock: createTestClock({ instantMs: 1_000 }) });
      const client = await as(system.server, "ada");
      const first = { ...chat({}), id: "taken" };
      assert.equal(await answerTo(client, first), "response");
      for (let round = 0; round < 3; round += 1) {
        assert.equal(await answerTo(client, first), "response");
        assert.equal(
          await answerTo(client, { ...chat({ message: "Other" }), id: "taken" }),
          "request_id_conflict",
        );
      }
      assert.equal(await answerTo(client, chat({})), "response");
    });
  });
}
