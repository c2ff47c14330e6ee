import type { CountedBudgets, CountedTurn } from "../../../ports/budgets.ts";
import type { Usage } from "../../../ports/provider.ts";
import type { CountedCall } from "../../../ports/turn-budget.ts";
import { estimatedUsage } from "../../../ports/usage-store.ts";
import type { BudgetHub } from "../rpc/budget-hub.ts";

interface OpenCall {
  readonly call: CountedCall;
  /** The usage that the call was settled with, until it is recorded. */
  settled?: Usage;
}

/**
 * Serves the budgets to one process that runs turns. When that process is `gone`, its open calls end with the usage that was settled or
 * reserved.
 */
export function createBudgetHub(budgets: CountedBudgets, gone: AbortSignal): BudgetHub {
  const turns = new Map<number, CountedTurn>();
  const calls = new Map<number, OpenCall>();

  function endLeft(): void {
    for (const { call, settled } of calls.values())
      call.record("interrupted", settled ?? estimatedUsage(call.reservedInput, call.reserved));
    for (const turn of turns.values()) turn[Symbol.dispose]();
  }
  gone.addEventListener("abort", endLeft, { once: true });

  return {
    admit: budgets.admit,
    async openTurn(turn, expense) {
      turns.set(turn, budgets.openTurn(expense));
    },
    async open(turn, number, plan) {
      const budget = turns.get(turn);
      if (budget === undefined) throw new Error("This turn has no budget.");
      const call = budget.open(plan);
      calls.set(number, { call });
      const { isLimited, maxOutputTokens, coveredTokens } = call;
      return {
        isLimited,
        coveredTokens,
        ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
      };
    },
    async cover(number, outputTokens) {
      const call = calls.get(number)?.call;
      call?.cover(outputTokens);
      return call?.coveredTokens ?? 0;
    },
    async repeat(number) {
      calls.get(number)?.call.repeat();
    },
    async settle(number, usage) {
      const open = calls.get(number);
      if (open === undefined) return;
      open.settled ??= usage;
      open.call.settle(usage);
    },
    async record(number, outcome, usage) {
      calls.get(number)?.call.record(outcome, usage);
      calls.delete(number);
    },
    async closeTurn(turn) {
      turns.get(turn)?.[Symbol.dispose]();
      turns.delete(turn);
    },
    today: budgets.today,
  };
}
