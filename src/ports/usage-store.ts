import type { Usage } from "./provider.ts";

/** How a call of a provider ended: `budget` if a budget stopped it, `interrupted` if the server did. */
export type CallOutcome = "completed" | "cancelled" | "failed" | "interrupted" | "budget";

/** Days since 1970, UTC. */
export type DayNumber = number;

/** A call of a provider at its start. */
export interface BegunCall {
  /** A fresh id, also used to end the call. */
  readonly id: string;
  readonly owner: string;
  readonly keyId: string;
  /** Absent if the client asked that nothing of its request is stored. */
  readonly requestId?: string;
  /** The lane's key, absent for a nameless voice. */
  readonly lane?: string;
  /** Number of the call in its lane. Default 0. */
  readonly call?: number;
  readonly api: string;
  /** The model that was asked for. */
  readonly model: string;
  /** The day whose budget pays for it. */
  readonly day: DayNumber;
  /** Wall clock, milliseconds since 1970, for display. */
  readonly atMs: number;
  /** A process that is gone started it: this record replaces the last one of the same lane and call there, which no longer counts. */
  readonly isBegun: boolean;
  /** The reserved tokens. They count until the call ends, in case its end is never recorded. */
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** The use of one model by one key. */
export interface Spending {
  readonly keyId: string;
  readonly api: string;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** In US dollars. Absent if it was not recorded. */
  readonly cost?: number;
}

/** A call that may be resumed, because it or its turn was left open. It counts as recorded until then. */
export interface LeftCall extends Spending {
  readonly owner: string;
  readonly requestId: string;
  readonly lane?: string;
  /** Default 0. */
  readonly call?: number;
}

/** The use of a day before this process started. */
interface SpentDay {
  /** All of it, by key and model. */
  readonly spent: readonly Spending[];
  /** The part that may be resumed, by call, oldest first. */
  readonly left: readonly LeftCall[];
}

/** An owner's use of one model on one day. */
export interface UsageSum {
  readonly day: DayNumber;
  readonly api: string;
  readonly model: string;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Some of it was estimated from characters. */
  readonly estimated: boolean;
}

/** Maximum number of sums that are read at a time. */
export const sumsOfPage = 100;

/** The sum after which the next page starts. */
export type SumPlace = Pick<UsageSum, "day" | "api" | "model">;

/** Reads recorded usage. */
export interface UsageSums {
  /**
   * An owner's sums from one day to another, both included, by day, api and model: the first ones after `after` (default: from the
   * start), at most `sumsOfPage`. Fewer than that are the last ones.
   */
  sums(owner: string, from: DayNumber, to: DayNumber, after?: SumPlace): Promise<readonly UsageSum[]>;
}

/**
 * The recorded usage of provider calls.
 *
 * Contract:
 * - `begin`, `extend` and `end` return at once and are stored in order with the next write. The opener of the store hears of failures. A
 *   call counts from its `begin`, even if the process dies before its `end`;
 * - calls that a dead process left open end as `interrupted` and count as reserved, because they never used more;
 * - single calls are stored for a time, then summed up by day. Calls that used nothing are then forgotten.
 */
export interface UsageStore extends UsageSums {
  begin(call: BegunCall): void;
  /** More is reserved: this much input and output in all. */
  extend(id: string, inputTokens: number, outputTokens: number): void;
  end(
    id: string,
    end: { readonly usage: Usage; readonly outcome: CallOutcome; readonly day: DayNumber },
  ): void;
  /**
   * The use of a day. Calls with a later date, from a clock that has since been set back, count for that day from now on. Otherwise a day
   * to come would start with them.
   */
  takeUp(day: DayNumber): Promise<SpentDay>;
}

/** The probable usage of a call whose provider gave no figures, marked as estimated. */
export function estimatedUsage(inputTokens: number, outputTokens: number): Usage {
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated: true };
}
