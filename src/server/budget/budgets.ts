import type { CountedBudgets } from "../../ports/budgets.ts";
import type { Caller } from "../../ports/caller.ts";
import type { RateCounter } from "../../ports/rate-counter.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { createTurnBudget, type TurnBudgetOptions } from "./turn-budget.ts";

export interface BudgetsOptions extends TurnBudgetOptions {
  /** Maximum requests a minute of a key that has no limit of its own; absent: no limit. */
  readonly mostPerMinute: number | undefined;
  /** Counts requests in windows of a minute. */
  readonly minutes: RateCounter;
}

/** The budgets of the whole server, counted in this process. */
export function createBudgets({ mostPerMinute, minutes, ...ofTurns }: BudgetsOptions): CountedBudgets {
  const { days } = ofTurns;

  /** Counts narrow limits first: a request that one of them refuses does not count in the wider ones. */
  async function countRequest({ keyId, limits, groups = [] }: Caller): Promise<void> {
    await countFor(keyId, "This key", limits.requestsPerMinute ?? mostPerMinute);
    for (const { id, name, limits } of groups) await countFor(`group ${id}`, name, limits.requestsPerMinute);
  }

  async function countFor(counted: string, name: string, most: number | undefined): Promise<void> {
    if (most === undefined) return;
    const { count, windowEndsInMs } = await minutes.add(counted);
    if (count <= most) return;
    const detail = `${name} may ask ${most} times a minute.`;
    throw new TroupeError("request_rate_exceeded", { detail, retryAfterMs: windowEndsInMs });
  }

  return {
    get reservedTokens() {
      return days.reservedTokens;
    },
    async admit(caller, inputTokens) {
      days.check(caller, inputTokens);
      await countRequest(caller);
    },
    openTurn: (expense) => createTurnBudget(expense, ofTurns),
    today: async () => days.day.current(),
  };
}
