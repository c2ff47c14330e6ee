import type { Caller } from "./caller.ts";
import type { CountedCall, TurnBudget } from "./turn-budget.ts";
import type { DayNumber } from "./usage-store.ts";

/** A turn as far as its price is concerned. */
export interface TurnExpense {
  readonly caller: Caller;
  /** Absent where nothing of the request is stored. */
  readonly requestId?: string;
  /** Input and output of all its lanes together, in tokens. */
  readonly budgetTokens?: number;
  readonly lanes: number;
}

/**
 * What a minute and a day allow, over all processes that serve.
 *
 * Contract: of any number of requests and calls at the same time, in any of these processes, no two are given the same tokens or the
 * same place in a minute. What a process that is gone had reserved counts as used.
 */
export interface Budgets {
  /** Counts a request with so much input. Throws `larger_than_day_budget`, `day_budget_spent`, and `request_rate_exceeded`, which alone has counted it. */
  admit(caller: Caller, inputTokens: number): Promise<void>;
  /** What a turn's calls are paid from; disposing ends what is still open as `failed`. */
  openTurn(expense: TurnExpense): TurnBudget & Disposable;
  /** Tokens that are held back for calls that run; absent in a process that asks another one. */
  readonly reservedTokens?: number;
  /** The day whose budget is being spent. */
  today(): Promise<DayNumber>;
}

/** Budgets in the process that counts them: nothing of a call is awaited. */
export interface CountedBudgets extends Budgets {
  openTurn(expense: TurnExpense): CountedTurn;
}

export interface CountedTurn extends TurnBudget, Disposable {
  open(plan: Parameters<TurnBudget["open"]>[0]): CountedCall;
}
