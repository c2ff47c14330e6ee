import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { ask, endlessScript, endsOf, startBudgetStage } from "./budget-stage.ts";

const dayMs = 24 * 3_600_000;
const key = "ada-0123456789abcdef";
const words = (tokens: number) => "four".repeat(tokens);
const short = streamScript(answer({ deltas: ["Yes."] }));

/** Every budget of a day of 1,000 tokens, and its name in messages to a client. */
const budgets: Readonly<Record<string, { options: TroupeOptions; allowance: string; inMoney?: true }>> = {
  "the key's tokens": { options: { tokensPerDay: 1_000 }, allowance: "This key may use 1000 tokens a day" },
  "the tokens of an address": {
    options: { allowAnonymous: true, addressTokensPerDay: 1_000 },
    allowance: "This address may use 1000 tokens a day",
  },
  "the tokens of all without a key": {
    options: { allowAnonymous: true, anonymousTokensPerDay: 1_000 },
    allowance: "All callers without a key may use 1000 tokens a day",
  },
  "the server's tokens": {
    options: { serverTokensPerDay: 1_000 },
    allowance: "The server's tokens of a day are limited",
  },
  "the server's money": {
    options: { moneyPerDay: 0.001, fallbackPrice: { input: 1, output: 1 } },
    allowance: "The server's money of a day is limited",
    inMoney: true,
  },
};

async function start(options: TroupeOptions) {
  const stage = await startBudgetStage(options);
  stage.upstream.respond(short);
  const headers = options.allowAnonymous === true ? { authorization: `Bearer ${key}` } : {};
  const client = await stage.server.connect({ headers });
  async function end(id: string, data: object = {}): Promise<ServerMessage & { type: "response" | "error" }> {
    client.send(ask(id, data));
    const [last] = await endsOf(client, [id]);
    assert.ok(last !== undefined);
    return last;
  }
  return {
    ...stage,
    ...{ end, client },
    async spendHalf() {
      stage.upstream.respond(endlessScript());
      const last = await end("half", { budget_tokens: 500 });
      stage.upstream.respond(short);
      return last;
    },
  };
}

for (const [name, { options, allowance, inMoney }] of Object.entries(budgets))
  describe(`a request and ${name} of a day`, () => {
    it("is refused for good if it is larger than a whole day, on any day", async () => {
      await using stage = await start(options);
      for (const day of [1, 2]) {
        const end = await stage.end(`large-${day}`, { input_text: words(1_001) });
        assert.ok(end.type === "error");
        assert.deepEqual(
          [end.code, end.message, end.retryable, end.retry_after_ms],
          [
            "larger_than_day_budget",
            `The request is larger than the budget of a whole day. ${allowance}.`,
            false,
            undefined,
          ],
        );
        // The refusal is stored only for a budget of money, because only the call itself tells the price.
        assert.equal(end.seq === undefined, inMoney === undefined);
        await stage.clock.advance(dayMs);
      }
      assert.equal(stage.upstream.requests.length, 0);
      assert.equal((await stage.end("small")).type, "response");
    });

    it("is told to come back when only too little is left, and its time is true", async () => {
      await using stage = await start(options);
      assert.equal((await stage.spendHalf()).type, "response");
      const end = await stage.end("second", { input_text: words(900) });
      assert.ok(end.type === "error" && end.retryable && end.retry_after_ms !== undefined);
      assert.equal(end.code, inMoney === undefined ? "day_budget_spent" : "budget_exhausted");
      assert.ok(end.message.endsWith(`${allowance}, and too little is left.`), end.message);
      await stage.clock.advance(end.retry_after_ms);
      // A request that was refused before anything was stored is sent again unchanged.
      const retry = end.seq === undefined ? {} : { retry: end.seq };
      assert.equal((await stage.end("second", { input_text: words(900), ...retry })).type, "response");
    });
  });

it("a conversation that has grown larger than a day's tokens is refused for good by its lane", async () => {
  await using stage = await start({ tokensPerDay: 1_000 });
  const chat = (id: string) => ({
    type: "chat",
    id,
    data: { message: words(300), persona_id: "teacher" },
  });
  let end: ServerMessage | undefined;
  for (let day = 1; day < 6 && end?.type !== "error"; day += 1) {
    stage.client.send(chat(`day-${day}`));
    [end] = await endsOf(stage.client, [`day-${day}`]);
    await stage.clock.advance(dayMs);
  }
  assert.ok(end?.type === "error" && end.seq !== undefined, JSON.stringify(end));
  assert.deepEqual([end.code, end.retryable], ["larger_than_day_budget", false]);
});

it("each refusal of a budget has a sentence of its own", async () => {
  await using stage = await start({ tokensPerDay: 1_000 });
  const sentences = new Map<string, string>();
  await stage.spendHalf();
  for (const [id, data] of Object.entries({
    large: { input_text: words(1_001) },
    own: { budget_tokens: 1 },
    partly: { input_text: words(600) },
  })) {
    const end = await stage.end(id, data);
    if (end.type === "error") sentences.set(`${end.code} ${id}`, end.message);
  }
  assert.equal(new Set(sentences.values()).size, 3);
  assert.deepEqual(
    [...sentences.keys()],
    ["larger_than_day_budget large", "budget_exhausted own", "day_budget_spent partly"],
  );
});
