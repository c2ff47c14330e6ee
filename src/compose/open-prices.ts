import { openPublishedPrices } from "../adapters/genai-prices/published-prices.ts";
import type { Clock } from "../ports/clock.ts";
import type { Observer } from "../ports/observer.ts";
import type { Prices, TokenPrice } from "../ports/prices.ts";
import { createPriceList } from "../server/budget/price-list.ts";
import type { TroupeConfig } from "./config-file.ts";
import type { Settings } from "./settings.ts";

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
