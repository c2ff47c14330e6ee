import type { Usage } from "./provider.ts";
import type { CallOutcome } from "./usage-store.ts";

/** A call of a provider as it is planned. */
export interface CallPlan {
  /** The lane's name, absent for a nameless voice. */
  readonly lane?: string;
  readonly api: string;
  readonly model: string;
  /** Estimated. */
  readonly inputTokens: number;
  /** The provider is at it already, for a process that is gone: it is not refused, but may be stopped at once. */
  readonly isBegun: boolean;
  /** The limit that the request itself sets for the answer. */
  readonly mostOutputTokens?: number;
}

/**
 * What one call may use.
 *
 * Contract: what is covered is said at once, and awaited only where somebody else has to be asked; `settle` and `record` count once,
 * later ones do nothing.
 */
export interface CallBudget {
  /** The limit to give the provider; absent where no budget is narrower than what the request itself asks for. */
  readonly mostOutputTokens?: number;
  /** A budget may stop it; what its provider says is then to be counted as it comes. */
  readonly isLimited: boolean;
  /** Sees to it that so much output is paid for; `false`: it is not, and the call has to be stopped. */
  cover(outputTokens: number): boolean | Promise<boolean>;
  /**
   * Reserves the input once more: the call is repeated after an attempt that may have been read. Throws `budget_exhausted`, and
   * has then reserved nothing more.
   */
  repeat(): Promise<void> | undefined;
  /** Puts what was used in the place of what was reserved: by all attempts together. */
  settle(usage: Usage): void;
  /** Notes how the call ended, for good. */
  record(outcome: CallOutcome, usage: Usage): void;
}

/** A call as the process that counts sees it. */
export interface CountedCall extends CallBudget {
  cover(outputTokens: number): boolean;
  repeat(): undefined;
  /** How much output it may have written before more has to be reserved. */
  readonly coveredTokens: number;
  /** The output that is reserved for it. */
  readonly reserved: number;
  /** The input that is reserved for it, once for each attempt. */
  readonly reservedInput: number;
}

/** The budgets that the calls of one turn are paid from. */
export interface TurnBudget {
  /**
   * Reserves the input and some output of a call from all budgets, or from none; before the provider is called.
   * Throws `budget_exhausted`, and `larger_than_day_budget` for a call that no day pays.
   */
  open(plan: CallPlan): CallBudget | Promise<CallBudget>;
}
