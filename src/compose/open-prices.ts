import { openPublishedPrices } from "../adapters/genai-prices/published-prices.ts";
import type { Clock } from "../ports/clock.ts";
import type { Observer } from "../ports/observer.ts";
import type { ModelPrice, PriceCatalog, PricedCall, Prices, TokenPrice } from "../ports/prices.ts";
import type { Usage } from "../ports/provider.ts";
import type { TroupeConfig } from "./config-file.ts";
import type { Settings } from "./settings.ts";

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

/** The data of the chosen providers that prices depend on. The fields follow a change of the providers. */
interface PricedModels {
  /** The model of requests that name none; `undefined` if it is not known. */
  readonly model: string | undefined;
  /** Only the demonstration answers, and calls are free. Read for each call, because a local server may be found later. */
  readonly isFree: boolean;
  apiFor?(model: string | undefined): string;
  vendorOf?(api: string): string | undefined;
}

interface PriceParts {
  readonly models: PricedModels;
  readonly configuration: TroupeConfig | undefined;
  readonly clock: Clock;
}

/** Opens the prices of the settings, the config file, and the published list. That list is loaded only if a vendor's prices are in it. */
export async function openPrices(
  settings: Pick<Settings, "prices" | "fallbackPrice">,
  { models, configuration, clock }: PriceParts,
): Promise<Prices> {
  const inFile = Object.entries(configuration?.prices ?? {});
  const inSettings = settings.prices.map(({ model, price }): [string, TokenPrice] => [model, price]);
  return createPriceList({
    own: new Map([...inFile, ...inSettings]),
    fallback: settings.fallbackPrice,
    published: models.vendorOf === undefined ? undefined : await openPublishedPrices(clock),
    vendorOf: (api) => models.vendorOf?.(api),
    isFree: () => models.isFree,
  });
}

/** Warns if money is limited and calls may be refused because they have no price. */
export function warnOfPrices(
  { moneyPerDay, fallbackPrice }: Pick<Settings, "moneyPerDay" | "fallbackPrice">,
  prices: Prices,
  { models, observer }: { readonly models: PricedModels; readonly observer: Observer },
): void {
  const { model, isFree } = models;
  if (moneyPerDay === undefined || fallbackPrice !== undefined || isFree) return;
  const api = models.apiFor?.(undefined) ?? "openai";
  const hasPrice = model === undefined || prices.priceOf({ api, model }) !== undefined;
  observer.warned?.({
    message: hasPrice
      ? "TROUPE_MONEY_PER_DAY is set without TROUPE_FALLBACK_PRICE: calls of models without a price are refused"
      : `TROUPE_MONEY_PER_DAY is set, but no price fits the model ${model}: its calls are refused until TROUPE_PRICES or TROUPE_FALLBACK_PRICE has one`,
  });
}
