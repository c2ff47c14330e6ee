import type { Price } from "../server/budget/ledger.ts";

export interface PricedModel {
  readonly model: string;
  readonly price: Price;
}

/** The dates with which vendors name the versions of a model: `-2024-07-18`, `-20240718`, `-0613`. */
const versionDate = /[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$/;

/**
 * Makes the look-up of a model's price for a million tokens. A model without its own price costs as much as its most expensive version
 * with one. Versions differ only in their date and have had different prices. Input and output are compared separately. `undefined` if no
 * version has a price and there is no fallback.
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
