import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openPublishedPrices } from "../../../src/adapters/genai-prices/published-prices.ts";
import type { ProviderEnd } from "../../../src/ports/provider.ts";
import { estimatedUsage } from "../../../src/ports/usage-store.ts";
import { streamHead } from "../../doubles/stream-script.ts";
import { hear } from "../../ports/hear.ts";
import type { UpstreamProviderUnderTest } from "../../ports/provider-contract.ts";
import { framings, recordedStreams as recordedResponses } from "../../support/recorded-streams.ts";
import { createAnthropicSetup } from "../anthropic/anthropic-setup.ts";
import { messageFramings, recordedMessages } from "../anthropic/recorded-messages.ts";
import { createChatSetup } from "../chat-completions/chat-setup.ts";
import { chatFramings, recordedChats } from "../chat-completions/recorded-chunks.ts";
import { createGeminiSetup } from "../gemini/gemini-setup.ts";
import { contentFramings, recordedStreams as recordedContents } from "../gemini/recorded-contents.ts";
import { createProviderSetup, reading } from "../openai/provider-setup.ts";

/** A day on which all of the recorded models had the prices below. */
const clock = { wallTimeMs: () => Date.UTC(2026, 7, 22) };
const prices = await openPublishedPrices(clock);
const million = 1_000_000;

/** The end of a recorded answer, replayed to its provider. */
async function endOf(under: UpstreamProviderUnderTest, body: string): Promise<ProviderEnd> {
  under.double.respond([streamHead(), { write: body }]);
  const { end, thrown } = await hear(under);
  return end ?? assert.fail(String(thrown));
}

function named<T extends { readonly name: string }>(streams: readonly T[], name: string): T {
  return streams.find((one) => one.name.startsWith(name)) ?? assert.fail(`no recording ${name}`);
}

const [framing = String] = Object.values(framings);
const framed = (all: Readonly<Record<string, (lines: readonly string[]) => string>>) =>
  Object.values(all)[0] ?? assert.fail("no framing");

async function costOf(vendor: string, { model, usage }: ProviderEnd) {
  const price = prices.find(vendor, model);
  if (price === undefined || usage === undefined) return assert.fail(`no price of ${model}`);
  const dollars = Math.round(price.costOf(usage) * 1e12) / 1e12;
  return { dollars, approximate: price.approximate, usage };
}

describe("the cost of a recorded answer, by hand from the vendor's own counts and prices", () => {
  it("of OpenAI: cached input at a tenth, reasoning as output", async () => {
    await using at = await createProviderSetup();
    const { events } = named(recordedResponses(), "openai-file-search");
    at.double.respond([streamHead(), ...events.map((event) => ({ write: framing(event) }))]);
    const call = reading(at);
    assert.equal(await call.ended, undefined);
    const end = call.batches.flat().at(-1);
    assert.ok(end?.type === "end");
    assert.equal(end.model, "gpt-5-mini-2025-08-07");
    const { dollars, approximate, usage } = await costOf("openai", end);
    assert.deepEqual([usage.cachedTokens, usage.reasoningTokens], [2304, 512]);
    assert.equal(dollars, ((3737 - 2304) * 0.25 + 2304 * 0.025 + 621 * 2) / million);
    assert.equal(approximate, false);
  });

  it("of Anthropic: reads from the cache at a tenth, writes to it at one and a quarter", async () => {
    await using at = await createAnthropicSetup();
    const { lines } = named(recordedMessages(), "anthropic-json-output-format");
    // The recordings were made without a cache.
    const cached = lines.map((line) =>
      line
        .replaceAll('"cache_read_input_tokens":0', '"cache_read_input_tokens":1000')
        .replaceAll('"cache_creation_input_tokens":0', '"cache_creation_input_tokens":200'),
    );
    const plain = (await endOf(at, framed(messageFramings)(lines))).usage ?? assert.fail("no usage");
    const end = await endOf(at, framed(messageFramings)(cached));
    const { dollars, approximate, usage } = await costOf("anthropic", end);
    assert.deepEqual(
      [usage.inputTokens, usage.cachedTokens, usage.cacheWriteTokens],
      [plain.inputTokens + 1200, 1000, 200],
    );
    const expected = plain.inputTokens * 3 + 1000 * 0.3 + 200 * 3.75 + plain.outputTokens * 15;
    assert.equal(dollars, expected / million);
    // The list has the start of this dated name.
    assert.deepEqual([end.model, approximate], ["claude-sonnet-4-5-20250929", true]);
  });

  it("of Gemini: thoughts as output, and all tokens of a long call at its price", async () => {
    await using at = await createGeminiSetup();
    const end = await endOf(
      at,
      framed(contentFramings)(named(recordedContents(), "google-reasoning-gemini3").lines),
    );
    const { dollars, usage } = await costOf("gemini", end);
    assert.deepEqual([usage.reasoningTokens, usage.outputTokens], [302, 325]);
    assert.equal(end.model, "gemini-3-pro-preview");
    assert.equal(dollars, (usage.inputTokens * 2 + usage.outputTokens * 12) / million);
    const long = prices.find("gemini", end.model)?.costOf(estimatedUsage(300_000, 1000));
    assert.equal(long, (300_000 * 4 + 1000 * 18) / million);
    assert.equal(prices.find("gemini", end.model)?.at(300_000).input, 4);
  });

  it("of xAI: the published price gives what the vendor itself charged", async () => {
    await using at = await createChatSetup();
    const end = await endOf(at, framed(chatFramings)(named(recordedChats(), "xai-text").lines));
    const { usage } = end;
    assert.deepEqual(usage?.cost, { usd: 0.000172125, approximate: false });
    assert.equal((await costOf("xai", end)).dollars, usage?.cost?.usd);
  });
});

describe("a published price", () => {
  it("is approximate for a name that the list has only in part", () => {
    for (const [vendor, model, approximate] of [
      ["openai", "gpt-4o-mini", false],
      ["openai", "gpt-4o-mini-2024-07-18", false],
      ["anthropic", "claude-sonnet-5", false],
      ["anthropic", "claude-sonnet-5-5", true],
      ["openrouter", "anthropic/claude-sonnet-4.5", false],
    ] as const)
      assert.equal(prices.find(vendor, model)?.approximate, approximate, model);
  });

  it("is unknown, and not 0, for other models, other vendors and models without a price of tokens", () => {
    for (const [vendor, model] of [
      ["openai", "llama3.2"],
      ["ollama", "gpt-4o-mini"],
      ["openai", "whisper-1"],
      ["constructor", "gpt-4o-mini"],
    ] as const)
      assert.equal(prices.find(vendor, model), undefined, model);
    assert.equal(prices.find("openrouter", "deepseek/deepseek-r1:free")?.costOf(estimatedUsage(10, 10)), 0);
  });

  it("is the one of its hour", async () => {
    const inputAt = async (hour: number) => {
      const then = await openPublishedPrices({ wallTimeMs: () => Date.UTC(2025, 5, 1, hour) });
      return then.find("deepseek", "deepseek-chat")?.at(0).input;
    };
    assert.deepEqual([await inputAt(12), await inputAt(20)], [0.27, 0.135]);
  });

  it("is found as well after more names than are remembered", () => {
    for (let index = 0; index < 1_100; index += 1) prices.find("cohere", `model-${index}`);
    assert.equal(prices.find("openai", "gpt-4o-mini")?.at(0).input, 0.15);
  });
});
