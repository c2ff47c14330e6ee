import type { DayNumber, Spending } from "./usage-store.ts";

/** A node's figures of its slice of one purse, and its wishes. Amounts are in the unit of the purse. */
export interface SliceRequest {
  readonly name: string;
  /** The limit of the purse for all nodes together. */
  readonly cap: number;
  /** Spent by this node. */
  readonly spent: number;
  /** Spent or reserved by this node. The slice is never smaller. */
  readonly used: number;
  /** The slice that this node has work for now. */
  readonly need: number;
  /** The slice that it would like to hold, at least `need`. If it is smaller than the present slice, the rest goes back. */
  readonly want: number;
}

/** A node's slice of one purse, and the rest of the purse. */
export interface Slice {
  readonly name: string;
  /** This node may spend and reserve this much in all. */
  readonly amount: number;
  /** Spent by all others, nodes of before included. */
  readonly spentElsewhere: number;
  /** Spent by all others, or in their slices. */
  readonly heldElsewhere: number;
  /** The part of it that they neither spent nor reserved, so it may come back soon. */
  readonly unusedElsewhere: number;
}

interface SliceAnswer {
  readonly slices: readonly Slice[];
  /** A node that is gone still holds slices of these purses: `recount` returns them. */
  readonly hasLeft: boolean;
}

/** The amounts that a use of tokens takes from purses, by their names. */
export type PurseAmounts = (spending: Spending) => Iterable<readonly [name: string, amount: number]>;

/**
 * Purses that several nodes pay from. Each node spends only from its slices.
 *
 * Contract:
 * - the amounts spent by nodes that are gone and all slices of a purse never exceed its cap, except by amounts that were `used` all the same;
 * - an ask whose answer was lost has its effect once;
 * - a purse of day 0 belongs to no day, and nothing of it is ever spent.
 */
export interface SharedPurses {
  /** The wall clock of all nodes, milliseconds since 1970. */
  wallTimeMs(): Promise<number>;
  /** Changes this node's slices. Calls run one after the other. Throws `storage_unavailable` if other nodes have taken over this one. */
  ask(day: DayNumber, requests: readonly SliceRequest[]): Promise<SliceAnswer>;
  /** Counts again the amounts spent by nodes that are gone, from their recorded calls, and returns their slices. */
  recount(day: DayNumber, amountsOf: PurseAmounts): Promise<void>;
  /** The days of which nodes that are gone still hold slices. */
  leftDays(): Promise<readonly DayNumber[]>;
}
