import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPriceList } from "../../src/compose/open-prices.ts";
import type { ModelPrice, TokenPrice } from "../../src/ports/prices.ts";
import { estimatedUsage } from "../../src/ports/usage-store.ts";

const price = (input: number, output: number): TokenPrice => ({ input, output });
const own = (prices: Readonly<Record<string, TokenPrice>>) => new Map(Object.entries(prices));

/** A price as its figures for a million tokens. */
function figures(found: ModelPrice | undefined) {
  if (found === undefined) return undefined;
  const { input, output } = found.at(0);
  return { ...price(input, output), approximate: found.approximate };
}

describe("the operator's own prices", () => {
  it("are those of a model, else of its dearest version, which is approximate", () => {
    const { priceOf } = createPriceList({
      own: own({
        "gpt-4o": price(2.5, 10),
        "gpt-4o-2024-05-13": price(5, 9),
        "gpt-4o-mini": price(0.15, 0.6),
        "gpt-4-0613": price(30, 60),
        "other-20250101": price(1, 2),
        "other-20250601": price(2, 1),
      }),
    });
    for (const [model, expected, approximate] of [
      ["gpt-4o", price(2.5, 10), false],
      ["gpt-4o-2024-05-13", price(5, 9), false],
      ["gpt-4o-2024-08-06", price(5, 10), true],
      ["gpt-4o-mini-2024-07-18", price(0.15, 0.6), true],
      ["gpt-4", price(30, 60), true],
      ["gpt-4-1106", price(30, 60), true],
      ["other", price(2, 2), true],
      ["other@20260101", price(2, 2), true],
    ] as const)
      assert.deepEqual(figures(priceOf({ api: "openai", model })), { ...expected, approximate }, model);
    for (const model of ["gpt-4o-audio", "gpt-5"])
      assert.equal(priceOf({ api: "openai", model }), undefined, model);
  });

  it("are the fallback if no version has one", () => {
    const { priceOf } = createPriceList({ own: own({ a: price(1, 1) }), fallback: price(7, 8) });
    const [ofVersion, other] = ["a-2024-01-01", "b"].map((model) => figures(priceOf({ api: "x", model })));
    assert.deepEqual(ofVersion, { ...price(1, 1), approximate: true });
    assert.deepEqual(other, { ...price(7, 8), approximate: true });
  });

  it("may be for one api, or for the model that answered", () => {
    const { priceOf } = createPriceList({
      own: own({ llama: price(1, 1), "groq/llama": price(2, 2), "real-model": price(3, 3) }),
    });
    assert.equal(figures(priceOf({ api: "groq", model: "llama" }))?.input, 2);
    assert.equal(figures(priceOf({ api: "ollama", model: "llama" }))?.input, 1);
    const answered = priceOf({ api: "azure", model: "deployment", answeredBy: "real-model" });
    assert.deepEqual(figures(answered), { ...price(3, 3), approximate: false });
  });

  it("count what the vendor's cache read and wrote, by its own prices or as other input", () => {
    const { priceOf } = createPriceList({
      own: own({ plain: price(10, 20), cached: { ...price(10, 20), cachedInput: 1, cacheWrite: 12.5 } }),
    });
    const usage = { ...estimatedUsage(1_000_000, 100_000), cachedTokens: 500_000, cacheWriteTokens: 200_000 };
    assert.equal(priceOf({ api: "x", model: "plain" })?.costOf(usage), 12);
    assert.equal(priceOf({ api: "x", model: "cached" })?.costOf(usage), 3 + 0.5 + 2.5 + 2);
  });
});

describe("published prices", () => {
  const found = (input: number, approximate: boolean): ModelPrice => ({
    approximate,
    costOf: () => input,
    at: () => price(input, input),
  });
  const listed: Readonly<Record<string, ModelPrice>> = {
    "vendor/m": found(1, false),
    "vendor/m-20260101": found(2, true),
    "vendor/large": found(3, false),
    "vendor/large-next": found(4, true),
  };
  const published = { find: (vendor: string, model: string) => listed[`${vendor}/${model}`] };
  const vendorOf = (api: string) => (api === "paid" ? "vendor" : undefined);
  const options = { own: own({ mine: price(9, 9) }), published, vendorOf };

  it("are of the model that answered, unless the vendor only adds the version", () => {
    const { priceOf } = createPriceList(options);
    for (const [model, answeredBy, expected] of [
      ["m", undefined, [1, false]],
      ["m", "m-20260101", [1, false]],
      ["m-20260101", "m-20260101", [2, true]],
      ["m", "large", [3, false]],
      ["m", "large-next", [4, true]],
      ["m", "accounts/vendor/models/m", [1, true]],
      ["deployment", "m", [1, false]],
      ["deployment", "other", undefined],
    ] as const) {
      const { input, approximate } = figures(priceOf({ api: "paid", model, answeredBy })) ?? {};
      assert.deepEqual(
        input === undefined ? undefined : [input, approximate],
        expected,
        `${model} ${answeredBy}`,
      );
    }
  });

  it("come after the operator's own and before the fallback, and only at their vendor", () => {
    const { priceOf } = createPriceList({ ...options, fallback: price(7, 7) });
    const inputOf = (api: string, model: string) => priceOf({ api, model })?.at(0).input;
    assert.deepEqual(
      [inputOf("paid", "mine"), inputOf("paid", "m"), inputOf("paid", "none"), inputOf("local", "m")],
      [9, 1, 7, 7],
    );
    assert.equal(createPriceList(options).priceOf({ api: "local", model: "m" }), undefined);
  });

  it("do not matter while all calls are free", () => {
    let isFree = true;
    const { priceOf } = createPriceList({ own: own({}), isFree: () => isFree });
    assert.equal(priceOf({ api: "openai", model: "demo" })?.costOf(estimatedUsage(10, 10)), 0);
    isFree = false;
    assert.equal(priceOf({ api: "openai", model: "demo" }), undefined);
  });
});
