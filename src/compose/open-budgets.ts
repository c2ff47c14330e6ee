import type { UsageRoutesOptions } from "../adapters/http/usage-routes.ts";
import { createRateCounter } from "../adapters/rate-limiter/rate-counter.ts";
import type { Clock } from "../ports/clock.ts";
import type { UsageStore } from "../ports/usage-store.ts";
import { createAdmission } from "../server/admission.ts";
import { createDayBudgets } from "../server/day-budgets.ts";
import type { Price } from "../server/ledger.ts";
import { createTurnBudget } from "../server/turn-budget.ts";
import type { TurnsOptions } from "../server/turns.ts";
import type { Settings } from "./settings.ts";

export interface BudgetDependencies {
  readonly clock: Clock;
  readonly usage: UsageStore;
  /** The model of requests that name none, and whether nothing but the demonstration answers. */
  readonly model: string;
  readonly simulated: boolean;
  readonly onWarning: (warning: string) => void;
}

/** A version of a model that is named by its day costs what the model costs. */
const versionDate = /-\d{4}-\d{2}-\d{2}$/;
const free: Price = { input: 0, output: 0 };

/** What limits requests and what they are paid from, as the settings say and with what was spent today already. */
export async function openBudgets(
  settings: Settings,
  { clock, usage, model, simulated, onWarning }: BudgetDependencies,
): Promise<Pick<TurnsOptions, "admission" | "openBudget"> & Pick<UsageRoutesOptions, "today">> {
  const { moneyPerDay, fallbackPrice } = settings;
  const prices = new Map(settings.prices.map(({ model: name, price }) => [name, price]));

  function priceOf(name: string): Price | undefined {
    if (simulated) return free;
    return prices.get(name) ?? prices.get(name.replace(versionDate, "")) ?? fallbackPrice;
  }

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
    limits: {
      tokensPerKey: settings.tokensPerDay,
      tokens: settings.serverTokensPerDay,
      money: moneyPerDay,
    },
  });
  await days.takeUp();
  return {
    today: days.day.current,
    admission: createAdmission({
      days,
      mostPerKey: settings.maxRequestsPerKey,
      mostPerOwner: settings.maxRequestsPerOwner,
      mostInAll: settings.maxRequests,
      mostPerMinute: settings.requestsPerMinute,
      minutes: createRateCounter({ clock, windowMs: 60_000 }),
    }),
    openBudget: (expense) =>
      createTurnBudget(expense, { clock, usage, days, stepTokens: settings.reservedTokens }),
  };
}
