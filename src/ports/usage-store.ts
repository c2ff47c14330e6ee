import type { Usage } from "./provider.ts";

/** How a call of a provider ended: `budget` where a budget stopped it, `interrupted` where the server did. */
export type CallOutcome = "completed" | "cancelled" | "failed" | "interrupted" | "budget";

/** Days since 1970, UTC. */
export type DayNumber = number;

/** A call of a provider as it begins. */
export interface BegunCall {
  /** A fresh id, under which the call is ended. */
  readonly id: string;
  readonly owner: string;
  readonly keyId: string;
  /** Absent where the client asked that nothing of its request is stored. */
  readonly requestId?: string;
  /** The lane's name, absent for a nameless voice. */
  readonly lane?: string;
  readonly api: string;
  /** The model that was asked for. */
  readonly model: string;
  /** The day on whose budget it is. */
  readonly day: DayNumber;
  /** Wall clock, milliseconds since 1970, for display. */
  readonly atMs: number;
  /** Its beginning was in a process that is gone: the lane's last call there is this one, and counts no more. */
  readonly isBegun: boolean;
  /** What is reserved for it, which is counted until it has ended, in case that is never told. */
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** What one key used of one model. */
export interface Spending {
  readonly keyId: string;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** A call that was left open, and is counted as it was reserved until it goes on. */
export interface LeftCall extends Spending {
  readonly owner: string;
  readonly requestId: string;
  readonly lane?: string;
}

/** What was used on a day before this process began. */
export interface SpentDay {
  /** In all, by key and model. */
  readonly spent: readonly Spending[];
  /** What of it was left open, by call, oldest first. */
  readonly left: readonly LeftCall[];
}

/** What an owner used of one model on one day. */
export interface UsageSum {
  readonly day: DayNumber;
  readonly api: string;
  readonly model: string;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Some of it was counted from characters. */
  readonly estimated: boolean;
}

/** What was used, for those who ask. */
export interface UsageSums {
  /** An owner's sums from one day to another, both included, by day, api and model. */
  sums(owner: string, from: DayNumber, to: DayNumber): Promise<readonly UsageSum[]>;
}

/**
 * What calls of providers have used.
 *
 * Contract:
 * - `begin`, `extend` and `end` return at once and are kept, in order, with what is written next; a failure is told to whoever opened the
 *   store. A call that was begun counts from then on, also when the process dies before it ends;
 * - calls that were left open by a process that is gone end as `interrupted`, counted as they were reserved: what had come of
 *   them is never more;
 * - single calls are kept for a time, and after it as sums of their day; calls that used nothing are then forgotten.
 */
export interface UsageStore extends UsageSums {
  begin(call: BegunCall): void;
  /** More is reserved: so much input and output in all. */
  extend(id: string, inputTokens: number, outputTokens: number): void;
  end(
    id: string,
    end: { readonly usage: Usage; readonly outcome: CallOutcome; readonly day: DayNumber },
  ): void;
  /**
   * What was used on a day. Calls dated later, by a clock that has been set back since, are that day's from
   * now on: a day to come must not begin with them.
   */
  takeUp(day: DayNumber): Promise<SpentDay>;
}

/** What a call probably used, where its provider could not say; marked so. */
export function estimatedUsage(inputTokens: number, outputTokens: number): Usage {
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated: true };
}
