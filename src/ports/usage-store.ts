import type { Cost, Usage } from "./provider.ts";

/** How a call of a provider ended: `budget` if a budget stopped it, `interrupted` if the server did. */
export const callOutcomes = ["completed", "cancelled", "failed", "interrupted", "budget"] as const;
export type CallOutcome = (typeof callOutcomes)[number];

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
  /** The conversation of that request. */
  readonly conversationId?: string;
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

/**
 * The parts of usage that are summed up, each with its sums in this order:
 * - `model`: by day, api and model;
 * - `day`;
 * - `key`;
 * - `conversation`: by its id, and first the calls without one;
 * - `request`: by conversation and request, and first the calls without one;
 * - `call`: by day, request and call, as long as single calls are stored.
 */
export const usageGroups = ["model", "day", "key", "conversation", "request", "call"] as const;
export type UsageGroup = (typeof usageGroups)[number];

/** The cost of several calls. */
interface CallsCost {
  /** US dollars of the calls whose cost is known. Absent if it is known of none. */
  readonly usd?: number;
  /** One of them may have cost more or less. */
  readonly approximate: boolean;
  /** Calls whose cost is not known: of models without a price, calls that run, and calls that an earlier version recorded. */
  readonly unknownCalls: number;
}

/** The sum of an owner's calls that belong together, with the fields of its group. */
export interface UsageSum {
  /** Of `model`, `day` and `call`. */
  readonly day?: DayNumber;
  /** Of `model` and `call`. */
  readonly api?: string;
  readonly model?: string;
  /** Of `key` and `call`. */
  readonly keyId?: string;
  /** Of `conversation`, `request` and `call`. Absent if nothing of the request is stored, and for calls that were summed up by day. */
  readonly conversationId?: string;
  /** Of `request` and `call`; absent in the same cases. */
  readonly requestId?: string;
  /** Of `call`. */
  readonly callId?: string;
  /** Of `call`: its start, milliseconds since 1970. */
  readonly atMs?: number;
  /** Of `call`; absent while it runs. */
  readonly outcome?: CallOutcome;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Some of it was estimated from characters. */
  readonly estimated: boolean;
  readonly cost: CallsCost;
}

/** Maximum number of sums that are read at a time. */
export const sumsOfPage = 100;

/** The sum after which the next page starts: the values that its group is in order of. */
export interface SumPlace {
  readonly day: DayNumber;
  readonly first: string;
  readonly second: string;
}

/** The place of a sum in its group. */
export function placeOfSum(group: UsageGroup, sum: UsageSum): SumPlace {
  const { day = 0, api = "", model = "", keyId = "", conversationId = "", requestId = "", callId = "" } = sum;
  switch (group) {
    case "model":
      return { day, first: api, second: model };
    case "day":
      return { day, first: "", second: "" };
    case "key":
      return { day: 0, first: keyId, second: "" };
    case "conversation":
      return { day: 0, first: conversationId, second: "" };
    case "request":
      return { day: 0, first: conversationId, second: requestId };
    case "call":
      return { day, first: requestId, second: callId };
  }
}

/** Reads recorded usage. */
export interface UsageSums {
  /**
   * An owner's sums over the days from one to another, both included, of a group (default: `model`): the first ones after `after` (default:
   * from the start), at most `sumsOfPage`. Fewer than that are the last ones.
   */
  sums(
    owner: string,
    from: DayNumber,
    to: DayNumber,
    group?: UsageGroup,
    after?: SumPlace,
  ): Promise<readonly UsageSum[]>;
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

/** The cost of an ended call in US dollars, as it is recorded. `undefined`: a part of it is not known. */
export function recordedCost({ totalTokens, cost }: Usage): Pick<Cost, "usd" | "approximate"> | undefined {
  if (totalTokens === 0) return { usd: 0, approximate: false };
  return cost == null || cost.partial ? undefined : { usd: cost.usd, approximate: cost.approximate };
}
