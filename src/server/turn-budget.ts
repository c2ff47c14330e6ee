import type { CountedTurn, TurnExpense } from "../ports/budgets.ts";
import type { Clock } from "../ports/clock.ts";
import type { CallPlan, CountedCall } from "../ports/turn-budget.ts";
import { type DayNumber, estimatedUsage, type UsageStore } from "../ports/usage-store.ts";
import type { DayBudgets } from "./day-budgets.ts";
import { createLedger, outputLeft, type Purse } from "./ledger.ts";
import { reserveCall } from "./reserve-call.ts";

export interface TurnBudgetOptions {
  readonly clock: Clock;
  readonly usage: UsageStore;
  readonly days: DayBudgets;
  /** How much output of a call is reserved at a time, in tokens. */
  readonly stepTokens: number;
}

/** What a turn's calls are paid from, and where they are written down; disposing ends what is still open as `failed`. */
export function createTurnBudget(
  { caller, requestId, budgetTokens = Infinity, lanes }: TurnExpense,
  { clock, usage, days, stepTokens }: TurnBudgetOptions,
): CountedTurn {
  const own: Purse = {
    ledger: createLedger(),
    limit: budgetTokens,
    price: { input: 1, output: 1 },
    refusal: () => ({ detail: "The request's budget_tokens do not cover it.", retryable: false }),
  };
  const running = new Set<() => void>();
  let lanesToCome = lanes;

  /** What a lane may take first, so that the lanes that come behind it find as much. */
  function share({ inputTokens }: CallPlan): number {
    const even = Math.floor(outputLeft(own, 0) / Math.max(1, lanesToCome));
    lanesToCome -= 1;
    return even - inputTokens;
  }

  return {
    open(plan) {
      const { inputTokens, isBegun, api, model, lane } = plan;
      const shareTokens = share(plan);
      const reservation = reserveCall([own, ...days.purses(caller, model)], plan, {
        stepTokens,
        shareTokens,
      });
      let settledOn: DayNumber | undefined;
      const { owner, keyId } = caller;
      const id = clock.newId();
      usage.begin({
        ...{ id, owner, keyId, api, model, isBegun, inputTokens },
        day: days.day.current(),
        ...(requestId === undefined ? {} : { requestId }),
        ...(lane === undefined ? {} : { lane }),
        atMs: clock.wallTimeMs(),
        outputTokens: reservation.reserved,
      });

      const { isLimited, mostOutputTokens } = reservation;
      const call: CountedCall = {
        isLimited,
        ...(mostOutputTokens === undefined ? {} : { mostOutputTokens }),
        get reserved() {
          return reservation.reserved;
        },
        get coveredTokens() {
          return reservation.coveredTokens;
        },
        cover(outputTokens) {
          const before = reservation.reserved;
          const isCovered = reservation.cover(outputTokens);
          if (reservation.reserved > before) usage.extend(id, reservation.reserved);
          return isCovered;
        },
        settle(used) {
          settledOn ??= days.day.current();
          reservation.settle(used);
        },
        record(outcome, used) {
          if (!running.delete(abandon)) return;
          call.settle(used);
          usage.end(id, { usage: used, outcome, day: settledOn ?? days.day.current() });
        },
      };
      function abandon(): void {
        call.record("failed", estimatedUsage(inputTokens, reservation.used));
      }
      running.add(abandon);
      return call;
    },
    [Symbol.dispose]() {
      for (const abandon of running) abandon();
    },
  };
}
