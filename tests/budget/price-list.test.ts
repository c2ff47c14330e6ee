import assert from "node:assert/strict";
import { it } from "node:test";
import { createPriceList } from "../../src/compose/open-budgets.ts";

const price = (input: number, output: number) => ({ input, output });

it("a model without a price of its own costs as much as the dearest of its versions", () => {
  const priceOf = createPriceList(
    [
      { model: "gpt-4o", price: price(2.5, 10) },
      { model: "gpt-4o-2024-05-13", price: price(5, 9) },
      { model: "gpt-4o-mini", price: price(0.15, 0.6) },
      { model: "gpt-4-0613", price: price(30, 60) },
      { model: "other-20250101", price: price(1, 2) },
      { model: "other-20250601", price: price(2, 1) },
    ],
    undefined,
  );
  for (const [model, expected] of [
    ["gpt-4o", price(2.5, 10)],
    ["gpt-4o-2024-05-13", price(5, 9)],
    ["gpt-4o-2024-08-06", price(5, 10)],
    ["gpt-4o-mini-2024-07-18", price(0.15, 0.6)],
    ["gpt-4", price(30, 60)],
    ["gpt-4-1106", price(30, 60)],
    ["other", price(2, 2)],
    ["other@20260101", price(2, 2)],
    ["gpt-4o-audio", undefined],
    ["gpt-5", undefined],
  ] as const)
    assert.deepEqual(priceOf(model), expected, model);
});

it("a model of which no version has a price costs the fallback", () => {
  const priceOf = createPriceList([{ model: "a", price: price(1, 1) }], price(7, 8));
  assert.deepEqual(
    [priceOf("a-2024-01-01"), priceOf("b"), priceOf("b-2024-01-01")],
    [price(1, 1), price(7, 8), price(7, 8)],
  );
});
