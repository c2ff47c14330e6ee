import { createRateCounter } from "../adapters/rate-limiter/rate-counter.ts";
import { groupIdsOf } from "../doors/identity/callers.ts";
import type { Budgets, CountedBudgets } from "../ports/budgets.ts";
import type { Clock } from "../ports/clock.ts";
import type { Prices } from "../ports/prices.ts";
import type { RateCounter } from "../ports/rate-counter.ts";
import type { UsageStore } from "../ports/usage-store.ts";
import { createBudgets } from "../server/budget/budgets.ts";
import { createDayBudgets, type DayBudgets, type Shared } from "../server/budget/day-budgets.ts";
import { createNodeBudgets } from "../server/budget/node-budgets.ts";
import type { Settings } from "./settings.ts";

interface BudgetDependencies {
  readonly clock: Clock;
  readonly usage: UsageStore;
  readonly prices: Prices;
}

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
  { clock, usage, prices, shared }: BudgetDependencies & { readonly shared?: Shared },
): Promise<DayBudgets> {
  const days = createDayBudgets({
    ...{ clock, usage, prices, groupIdsOf, shared },
    limits: {
      tokensPerKey: settings.tokensPerDay,
      tokens: settings.serverTokensPerDay,
      money: settings.moneyPerDay,
    },
  });
  await days.takeUp();
  return days;
}
