import { groupIdsOf } from "../adapters/http/callers.ts";
import { createRateCounter } from "../adapters/rate-limiter/rate-counter.ts";
import type { CountedBudgets } from "../ports/budgets.ts";
import type { Clock } from "../ports/clock.ts";
import type { UsageStore } from "../ports/usage-store.ts";
import { createBudgets } from "../server/budgets.ts";
import { createDayBudgets } from "../server/day-budgets.ts";
import type { Price } from "../server/ledger.ts";
import { createPriceList } from "./price-list.ts";
import type { Settings } from "./settings.ts";

/** Who answers here, as far as prices are concerned. */
export interface PricedModels {
  /** The model of requests that name none, and whether nothing but the demonstration answers. */
  readonly model: string;
  readonly simulated: boolean;
  readonly onWarning: (warning: string) => void;
}

export interface BudgetDependencies extends PricedModels {
  readonly clock: Clock;
  readonly usage: UsageStore;
}

const free: Price = { input: 0, output: 0 };

/** What a minute and a day allow, as the settings say and with what was spent today already. */
export async function openBudgets(
  settings: Settings,
  { clock, usage, model, simulated, onWarning }: BudgetDependencies,
): Promise<CountedBudgets> {
  const { moneyPerDay, fallbackPrice } = settings;
  const priceOf = simulated ? () => free : createPriceList(settings.prices, fallbackPrice);

  if (moneyPerDay !== undefined && fallbackPrice === undefined && !simulated) {
    onWarning(
      priceOf(model) === undefined
        ? `TROUPE_MONEY_PER_DAY is set, but no price fits the model ${model}: its calls are refused until TROUPE_PRICES or TROUPE_FALLBACK_PRICE has one`
        : "TROUPE_MONEY_PER_DAY is set without TROUPE_FALLBACK_PRICE: calls of models without a price are refused",
    );
  }
  const days = createDayBudgets({
    clock,
    usage,
    priceOf,
    groupIdsOf,
    limits: {
      tokensPerKey: settings.tokensPerDay,
      tokens: settings.serverTokensPerDay,
      money: moneyPerDay,
    },
  });
  await days.takeUp();
  return createBudgets({
    clock,
    usage,
    days,
    stepTokens: settings.reservedTokens,
    mostPerMinute: settings.requestsPerMinute,
    minutes: createRateCounter({ clock, windowMs: 60_000 }),
  });
}
