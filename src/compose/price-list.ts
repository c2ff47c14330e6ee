import type { Price } from "../server/ledger.ts";

export interface PricedModel {
  readonly model: string;
  readonly price: Price;
}

/** How vendors name the version of a model by its day: `-2024-07-18`, `-20240718`, `-0613`. */
const versionDate = /[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$/;

/**
 * Makes the look-up of what a million tokens of a model cost. A model without a price of its own costs as much as the dearest of those
 * that differ from it by the date of their version alone, input and output each: versions of one model have had different prices.
 * `undefined` if none of them has a price and there is no fallback.
 */
export function createPriceList(
  priced: readonly PricedModel[],
  fallback: Price | undefined,
): (model: string) => Price | undefined {
  const own = new Map<string, Price>();
  const families = new Map<string, Price>();
  for (const { model, price } of priced) {
    own.set(model, price);
    const family = model.replace(versionDate, "");
    families.set(family, dearer(price, families.get(family)));
  }
  return (model) => own.get(model) ?? families.get(model.replace(versionDate, "")) ?? fallback;
}

function dearer(price: Price, other: Price = price): Price {
  return { input: Math.max(price.input, other.input), output: Math.max(price.output, other.output) };
}
