import { createRateCounter } from "../adapters/rate-limiter/rate-counter.ts";
import { groupIdsOf } from "../doors/identity/callers.ts";
import type { Budgets, CountedBudgets } from "../ports/budgets.ts";
import type { Clock } from "../ports/clock.ts";
import type { Observer } from "../ports/observer.ts";
import type { RateCounter } from "../ports/rate-counter.ts";
import type { UsageStore } from "../ports/usage-store.ts";
import { createBudgets } from "../server/budget/budgets.ts";
import { createDayBudgets, type DayBudgets, type Shared } from "../server/budget/day-budgets.ts";
import type { Price } from "../server/budget/ledger.ts";
import { createNodeBudgets } from "../server/budget/node-budgets.ts";
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
  dependencies: BudgetDependencies,
): Promise<CountedBudgets> {
  const minutes = createRateCounter({ clock: dependencies.clock, windowMs: 60_000 });
  const days = await openDays(settings, dependencies);
  return createBudgets({ ...dependencies, ...ofCalls(settings), days, minutes });
}

interface NodeBudgetDependencies extends BudgetDependencies {
  readonly shared: Shared;
  readonly minutes: RateCounter;
}

/** The same for a node that pays from the same purses as others. */
export async function openNodeBudgets(
  settings: Settings,
  { shared, minutes, ...dependencies }: NodeBudgetDependencies,
): Promise<Budgets> {
  const clock = await sharedClock(dependencies.clock, shared);
  const days = await openDays(settings, { ...dependencies, clock, shared });
  const counted = createBudgets({ ...dependencies, clock, ...ofCalls(settings), days, minutes });
  const { slices } = days;
  if (slices === undefined) throw new Error("The day's purses have no slices.");
  return createNodeBudgets({ counted, days, slices, stepTokens: settings.reservedTokens });
}

/** The clock of this process with the wall clock of all nodes. */
async function sharedClock(clock: Clock, { purses }: Shared): Promise<Clock> {
  const wallMs = await purses.wallTimeMs();
  const readAtMs = clock.now();
  return {
    now: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    callAfter: (ms, callback) => clock.callAfter(ms, callback),
    newId: () => clock.newId(),
    wallTimeMs: () => Math.floor(wallMs + clock.now() - readAtMs),
  };
}

function ofCalls({ reservedTokens, requestsPerMinute }: Settings) {
  return { stepTokens: reservedTokens, maxPerMinute: requestsPerMinute };
}

async function openDays(
  settings: Settings,
  { clock, usage, models, observer, shared }: BudgetDependencies & { readonly shared?: Shared },
): Promise<DayBudgets> {
  const listed = createPriceList(settings.prices, settings.fallbackPrice);
  const priceOf = (model: string) => (models.isFree ? free : listed(model));
  warnOfPrices(settings, models, observer);
  const days = createDayBudgets({
    ...{ clock, usage, priceOf, groupIdsOf, shared },
    limits: {
      tokensPerKey: settings.tokensPerDay,
      tokens: settings.serverTokensPerDay,
      money: settings.moneyPerDay,
    },
  });
  await days.takeUp();
  return days;
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
