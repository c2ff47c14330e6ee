import type { ErrorCode } from "../protocol/errors.ts";
import type { Usage } from "./provider.ts";
import type { CallOutcome } from "./usage-store.ts";

/** A planned call of a provider. */
export interface CallPlan {
  /** The lane's key, absent for a nameless voice. */
  readonly lane?: string;
  /** Number of the call in its lane. Default 0. */
  readonly call?: number;
  readonly api: string;
  readonly model: string;
  /** An estimate. */
  readonly inputTokens: number;
  /** It takes the place of a call of the same number, which failed at another endpoint or model. */
  readonly isFallback?: true;
  /** The call was started by a process that is gone: it is not refused, but may be stopped at once. */
  readonly isBegun: boolean;
  /** The output limit that the request itself sets. */
  readonly maxOutputTokens?: number;
}

/**
 * The budget of one call.
 *
 * Contract: `cover` answers at once, with a promise only if another process has to be asked. Only the first `settle` and the first
 * `record` count.
 */
export interface CallBudget {
  /** The output limit to give the provider. Absent unless a budget is narrower than the request's own limit. */
  readonly maxOutputTokens?: number;
  /** A budget may stop the call, so its output must be counted as it arrives. */
  readonly isLimited: boolean;
  /** Reserves enough for this much output. `false`: the budget has no more, and the call must be stopped. */
  cover(outputTokens: number): boolean | Promise<boolean>;
  /** Reserves the input again, because a failed attempt may have been read. Throws `budget_exhausted`, and then reserves nothing more. */
  repeat(): Promise<void> | undefined;
  /** Replaces the reservation with the usage of all attempts together. */
  settle(usage: Usage): void;
  /** Records for good how the call ended; `errorCode`: of the error that ended it. */
  record(outcome: CallOutcome, usage: Usage, errorCode?: ErrorCode): void;
}

/** A call in the process that does the counting. */
export interface CountedCall extends CallBudget {
  cover(outputTokens: number): boolean;
  repeat(): undefined;
  /** The output it may write before more must be reserved. */
  readonly coveredTokens: number;
  /** The output reserved for it. */
  readonly reserved: number;
  /** The input reserved for it, once for each attempt. */
  readonly reservedInput: number;
}

/** The budgets that pay for the calls of one turn. */
export interface TurnBudget {
  /**
   * Reserves a call's input and some output from all budgets, or from none; before the provider is called.
   * Throws `budget_exhausted`, and `larger_than_day_budget` for a call that no day's budget can pay.
   */
  open(plan: CallPlan): CallBudget | Promise<CallBudget>;
}
