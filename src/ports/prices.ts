import type { Usage } from "./provider.ts";

/** Dollars without the dust of binary fractions, to a millionth of a millionth. */
export function roundedUsd(usd: number): number {
  return Math.round(usd * 1e12) / 1e12;
}

/** A call whose price is asked for. */
export interface PricedCall {
  readonly api: string;
  /** The model that was asked for. */
  readonly model: string;
  /** The model that answered, as the vendor names it. */
  readonly answeredBy?: string | undefined;
}

/** US dollars for a million tokens. An absent price is that of other input. */
export interface TokenPrice {
  readonly input: number;
  readonly cachedInput?: number | undefined;
  readonly cacheWrite?: number | undefined;
  readonly output: number;
}

/** The price of one model. */
export interface ModelPrice {
  /** It is the price of a similar model, such as another version. */
  readonly approximate: boolean;
  /** The cost of these tokens, in US dollars. */
  costOf(usage: Usage): number;
  /** The prices for a call with this much input: long calls may cost more a token. */
  at(inputTokens: number): TokenPrice;
}

/** The prices of all models of a server. `undefined`: the price is not known, which does not mean that the call is free. */
export interface Prices {
  priceOf(call: PricedCall): ModelPrice | undefined;
}

/** Published prices by vendor and model. */
export interface PriceCatalog {
  /** `vendor`: a name of `ProviderCatalog.vendorOf`. */
  find(vendor: string, model: string): ModelPrice | undefined;
}
