import { createRateCounter } from "../adapters/rate-limiter/rate-counter.ts";
import { groupIdsOf } from "../doors/identity/callers.ts";
import type { CountedBudgets } from "../ports/budgets.ts";
import type { Clock } from "../ports/clock.ts";
import type { Observer } from "../ports/observer.ts";
import type { UsageStore } from "../ports/usage-store.ts";
import { createBudgets } from "../server/budget/budgets.ts";
import { createDayBudgets } from "../server/budget/day-budgets.ts";
import type { Price } from "../server/budget/ledger.ts";
import type { Settings } from "./settings.ts";

/** The data of the chosen providers that prices depend on. Both fields follow a change of the providers. */
export interface PricedModels {
  /** The model of requests that name none; `undefined` if it is not known. */
  readonly model: string | undefined;
  /** Only the demonstration answers, and calls are free. Read for each call, because a local server may be found later. */
  readonly isFree: boolean;
}

interface BudgetDependencies {
  readonly clock: Clock;
  readonly usage: UsageStore;
  readonly models: PricedModels;
  readonly observer: Observer;
}

const free: Price = { input: 0, output: 0 };

/** Opens the budgets of a minute and a day, with the limits of the settings and the usage of today so far. */
export async function openBudgets(
  settings: Settings,
  { clock, usage, models, observer }: BudgetDependencies,
): Promise<CountedBudgets> {
  const listed = createPriceList(settings.prices, settings.fallbackPrice);
  const priceOf = (model: string) => (models.isFree ? free : listed(model));
  warnOfPrices(settings, models, observer);
  const days = createDayBudgets({
    clock,
    usage,
    priceOf,
    groupIdsOf,
    limits: {
      tokensPerKey: settings.tokensPerDay,
      tokens: settings.serverTokensPerDay,
      money: settings.moneyPerDay,
    },
  });
  await days.takeUp();
  return createBudgets({
    clock,
    usage,
    days,
    stepTokens: settings.reservedTokens,
    maxPerMinute: settings.requestsPerMinute,
    minutes: createRateCounter({ clock, windowMs: 60_000 }),
  });
}

/** Warns if money is limited and calls may be refused because they have no price. */
export function warnOfPrices(
  { moneyPerDay, prices, fallbackPrice }: Settings,
  { model, isFree }: PricedModels,
  observer: Observer,
): void {
  if (moneyPerDay === undefined || fallbackPrice !== undefined || isFree) return;
  const hasPrice = model === undefined || createPriceList(prices, fallbackPrice)(model) !== undefined;
  observer.warned?.({
    message: hasPrice
      ? "TROUPE_MONEY_PER_DAY is set without TROUPE_FALLBACK_PRICE: calls of models without a price are refused"
      : `TROUPE_MONEY_PER_DAY is set, but no price fits the model ${model}: its calls are refused until TROUPE_PRICES or TROUPE_FALLBACK_PRICE has one`,
  });
}

interface PricedModel {
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
