import type { Usage } from "../../src/ports/provider.ts";
import type { CallPlan, TurnBudget } from "../../src/ports/turn-budget.ts";
import type { CallOutcome } from "../../src/ports/usage-store.ts";
import { TroupeError } from "../../src/protocol/errors.ts";

export interface NotedBudget extends TurnBudget {
  readonly plans: readonly CallPlan[];
  /** The usage that each call was settled with, in order. */
  readonly settled: readonly Usage[];
  /** Number of paid repeats after the first attempt. */
  readonly repeats: number;
  readonly recorded: readonly { readonly outcome: CallOutcome; readonly usage: Usage }[];
}

export interface NotedBudgetOptions {
  /** Lanes for which the budget has no room. */
  readonly refused?: readonly string[];
  /** Maximum number of paid repeats. Default: no limit. */
  readonly maxRepeats?: number;
  /** Maximum number of output tokens that are covered. Default: no limit. */
  readonly maxOutputTokens?: number;
  /** The limit that is sent to the provider. */
  readonly limitSent?: number;
}

/** A budget that pays for everything except the given limits, and records its calls. */
export function createNotedBudget(options: NotedBudgetOptions = {}): NotedBudget {
  const { refused = [], maxOutputTokens = Infinity, maxRepeats = Infinity, limitSent } = options;
  const plans: CallPlan[] = [];
  const settled: Usage[] = [];
  const recorded: { outcome: CallOutcome; usage: Usage }[] = [];
  let repeats = 0;
  return {
    get repeats() {
      return repeats;
    },
    plans,
    settled,
    recorded,
    open(plan) {
      plans.push(plan);
      if (refused.includes(plan.lane ?? ""))
        throw new TroupeError("budget_exhausted", { retryAfterMs: 60_000 });
      return {
        ...(limitSent === undefined ? {} : { maxOutputTokens: limitSent }),
        isLimited: maxOutputTokens < Infinity,
        cover: (outputTokens) => outputTokens <= maxOutputTokens,
        repeat() {
          if (repeats === maxRepeats) throw new TroupeError("budget_exhausted", { retryAfterMs: 60_000 });
          repeats += 1;
          return undefined;
        },
        settle: (usage) => void settled.push(usage),
        record: (outcome, usage) => void recorded.push({ outcome, usage }),
      };
    },
  };
}
