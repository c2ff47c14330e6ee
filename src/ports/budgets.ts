import type { Caller } from "./caller.ts";
import type { CountedCall, TurnBudget } from "./turn-budget.ts";
import type { DayNumber } from "./usage-store.ts";

/** The data of a turn that its budgets need. */
export interface TurnExpense {
  readonly caller: Caller;
  /** Absent if nothing of the request is stored. */
  readonly requestId?: string;
  /** Absent as well if the request has no conversation. */
  readonly conversationId?: string;
  /** Input and output of all its lanes together, in tokens. */
  readonly budgetTokens?: number;
  readonly lanes: number;
}

/**
 * The limits of a minute and a day, over all processes that serve.
 *
 * Contract: no two of any requests and calls at the same time, in any of these processes, get the same tokens or the same place in a
 * minute. Tokens that a dead process had reserved count as used.
 */
export interface Budgets {
  /**
   * Counts a request with this much input. Throws `larger_than_day_budget` and `day_budget_spent`, which do not count it, and
   * `request_rate_exceeded`, which does.
   */
  admit(caller: Caller, inputTokens: number): Promise<void>;
  /** The budget that a turn's calls are paid from. Disposing it ends the calls that are still open, as `failed`. */
  openTurn(expense: TurnExpense): TurnBudget & Disposable;
  /** Tokens that are reserved for running calls. Absent in a process that asks another one. */
  readonly reservedTokens?: number;
  /** The day whose budget is being spent. */
  today(): Promise<DayNumber>;
}

/** The budgets in the process that does the counting: no call has to be awaited. */
export interface CountedBudgets extends Budgets {
  openTurn(expense: TurnExpense): CountedTurn;
}

export interface CountedTurn extends TurnBudget, Disposable {
  open(plan: Parameters<TurnBudget["open"]>[0]): CountedCall;
}
