import type { Prices } from "../../src/ports/prices.ts";

/** No price is known. */
export const noPrices: Prices = { priceOf: () => undefined };
