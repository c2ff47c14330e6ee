import type { CallPlan, CountedCall } from "../ports/turn-budget.ts";
import { TroupeError } from "../protocol/errors.ts";
import { costOf, outputLeft, type Purse } from "./ledger.ts";

/** The least that a vendor takes as a limit of output (OpenAI, `max_output_tokens`); with less left no call is begun. */
const leastOutputTokens = 16;
/**
 * A limit above this is not sent, although a budget sets it: models refuse limits beyond what they can write, and this many
 * tokens the present ones can. Until then the running count stops the call.
 */
const largestLimitSent = 16_384;

export interface ReservationOptions {
  /** How much output is reserved at a time, in tokens. */
  readonly stepTokens: number;
  /** The most that the first step may take, so that calls beside this one find something as well. */
  readonly shareTokens: number;
}

/** A call's part in its purses. */
export interface Reservation extends Omit<CountedCall, "record"> {
  /** The output that was covered last. */
  readonly used: number;
}

/**
 * Takes a call's input and the first step of its output from all purses, or throws
 * `budget_exhausted` for the one that has least. More is
 * taken a step at a time while the answer grows, ahead of it: when a purse refuses, what was reserved is not used up yet, and so
 * calls that stop at the same moment do not add up to more than the purse had.
 */
export function reserveCall(
  purses: readonly Purse[],
  { inputTokens, mostOutputTokens = Infinity, isBegun }: Omit<CallPlan, "api" | "model" | "lane">,
  { stepTokens, shareTokens }: ReservationOptions,
): Reservation {
  const aheadTokens = Math.floor(stepTokens / 4);
  const left = (input: number) => Math.min(Infinity, ...purses.map((purse) => outputLeft(purse, input)));
  const leftAtFirst = left(inputTokens);
  const leastTokens = Math.min(mostOutputTokens, leastOutputTokens);
  if (leftAtFirst < leastTokens && !isBegun) throw refusal(purses, inputTokens, leastTokens);

  /** All that the call has been told it may write. */
  const allowed = Math.min(mostOutputTokens, Math.max(leftAtFirst, leastTokens));
  const firstTokens = Math.min(allowed, Math.max(leastTokens, Math.min(stepTokens, shareTokens)));
  let reserved = 0;
  let used = 0;
  let isSettled = false;

  function take(input: number, output: number): void {
    for (const { ledger, price } of purses) ledger.reserve(costOf(price, input, output));
    reserved += output;
  }
  take(inputTokens, firstTokens);

  function coveredTokens(): number {
    return Math.max(reserved - aheadTokens, reserved >= allowed ? reserved - 1 : 0);
  }

  return {
    isLimited: leftAtFirst < Infinity,
    get reserved() {
      return reserved;
    },
    get coveredTokens() {
      return coveredTokens();
    },
    get used() {
      return used;
    },
    ...(!isBegun && leftAtFirst < mostOutputTokens && leftAtFirst <= largestLimitSent
      ? { mostOutputTokens: leftAtFirst }
      : {}),
    cover(outputTokens) {
      used = outputTokens;
      if (isSettled || used + aheadTokens <= reserved) return true;
      const wanted =
        used < mostOutputTokens ? Math.min(used + stepTokens, mostOutputTokens) : used + stepTokens;
      const more = Math.min(wanted - reserved, left(0));
      if (more > 0) take(0, more);
      return used <= coveredTokens();
    },
    settle(usage) {
      if (isSettled) return;
      isSettled = true;
      for (const { ledger, price } of purses) {
        const held = costOf(price, inputTokens, reserved);
        ledger.settle(held, costOf(price, usage.inputTokens, usage.outputTokens));
      }
    },
  };
}

function refusal(purses: readonly Purse[], inputTokens: number, leastTokens: number): TroupeError {
  const [poorest] = purses.toSorted((a, b) => outputLeft(a, inputTokens) - outputLeft(b, inputTokens));
  if (poorest === undefined) throw new Error("There is no purse that could refuse.");
  const { ledger, limit, price } = poorest;
  const isSpent = ledger.spent + costOf(price, inputTokens, leastTokens) > limit;
  return new TroupeError("budget_exhausted", poorest.refusal(isSpent));
}
