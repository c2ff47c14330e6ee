import type { ModelPrice, PriceCatalog, PricedCall, Prices, TokenPrice } from "../../ports/prices.ts";
import type { Usage } from "../../ports/provider.ts";

interface PriceListOptions {
  /** The operator's own prices by model, or by api and model as `groq/llama-3.3-70b`. */
  readonly own: ReadonlyMap<string, TokenPrice>;
  /** The price of every model that has no other. */
  readonly fallback?: TokenPrice | undefined;
  /** Published prices, with the vendor whose prices the calls of an `api` cost. */
  readonly published?: PriceCatalog | undefined;
  readonly vendorOf?: ((api: string) => string | undefined) | undefined;
  /** Whether all calls are free now. */
  readonly isFree?: (() => boolean) | undefined;
}

/** The dates with which vendors name the versions of a model: `-2024-07-18`, `-20240718`, `-0613`. */
const versionDate = /[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$/;
/** Prices are for this many tokens. */
const priceUnit = 1_000_000;
const free = linear({ input: 0, output: 0 }, false);

/**
 * Makes the look-up of prices. The operator's own price of a model comes first, then that of its most expensive other version: versions
 * differ only in their date, and have had different prices. Then come the published price and the fallback.
 */
export function createPriceList(options: PriceListOptions): Prices {
  const { own, fallback, published, vendorOf, isFree } = options;
  const families = new Map<string, TokenPrice>();
  for (const [model, price] of own) {
    const family = familyOf(model);
    families.set(family, dearest(price, families.get(family)));
  }

  function ownPrice({ api, model, answeredBy }: PricedCall): ModelPrice | undefined {
    const names = [model, ...(answeredBy === undefined ? [] : [answeredBy])];
    const keys = names.flatMap((name) => [`${api}/${name}`, name]);
    const exact = keys.flatMap((key) => own.get(key) ?? []).at(0);
    if (exact !== undefined) return linear(exact, false);
    const near = keys.flatMap((key) => families.get(familyOf(key)) ?? []).at(0);
    return near && linear(near, true);
  }

  function publishedPrice({ api, model, answeredBy = model }: PricedCall): ModelPrice | undefined {
    const vendor = vendorOf?.(api);
    if (vendor === undefined || published === undefined) return undefined;
    const answered = published.find(vendor, answeredBy);
    if (answeredBy === model || answered?.approximate === false) return answered;
    const asked = published.find(vendor, model);
    // The vendor only names the version. Otherwise another model may have answered, so the price of the one that was asked for is a guess.
    if (familyOf(answeredBy) === familyOf(model)) return asked ?? answered;
    return answered ?? (asked && { ...asked, approximate: true });
  }

  return {
    priceOf(call) {
      if (isFree?.() === true) return free;
      return ownPrice(call) ?? publishedPrice(call) ?? (fallback && linear(fallback, true));
    },
  };
}

function familyOf(model: string): string {
  return model.replace(versionDate, "");
}

/** A price that is the same for every length of a call. */
function linear(price: TokenPrice, approximate: boolean): ModelPrice {
  const { input, cachedInput = input, cacheWrite = input, output } = price;
  return {
    approximate,
    costOf({ inputTokens, cachedTokens = 0, cacheWriteTokens = 0, outputTokens }: Usage) {
      const fresh = inputTokens - cachedTokens - cacheWriteTokens;
      const parts = [
        fresh * input,
        cachedTokens * cachedInput,
        cacheWriteTokens * cacheWrite,
        outputTokens * output,
      ];
      return parts.reduce((sum, part) => sum + part, 0) / priceUnit;
    },
    at: () => price,
  };
}

/** The parts are compared separately. */
function dearest(price: TokenPrice, other: TokenPrice = price): TokenPrice {
  const larger = (of: (price: TokenPrice) => number) => Math.max(of(price), of(other));
  return {
    input: larger(({ input }) => input),
    cachedInput: larger(({ input, cachedInput = input }) => cachedInput),
    cacheWrite: larger(({ input, cacheWrite = input }) => cacheWrite),
    output: larger(({ output }) => output),
  };
}
