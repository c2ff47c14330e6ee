import type { Usage } from "../ports/provider.ts";
import type { CallPlan } from "../ports/turn-budget.ts";
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

/**
 * A call's part in its purses: its input and the first step of its output from all of them, or the constructor throws
 * `budget_exhausted` for the one that has least, or `larger_than_day_budget` if it never has so much. More is taken a step at a time while the answer grows, ahead of it: when a purse
 * refuses, what was reserved is not used up yet, and so calls that stop at the same moment do not add up to more than the purse had.
 */
export class Reservation {
  /** A purse may come to its end. */
  readonly isLimited: boolean;
  /** The limit to give the provider, where the purses are narrower than what the request itself asks for. */
  readonly mostOutputTokens: number | undefined;
  /** The output that was covered last. */
  used = 0;
  readonly #purses: readonly Purse[];
  /** Of one attempt. */
  readonly #inputTokens: number;
  readonly #stepTokens: number;
  readonly #aheadTokens: number;
  /** The limit that the request itself sets. */
  readonly #mostAsked: number;
  /** All that the call has been told it may write. */
  readonly #allowed: number;
  #reserved = 0;
  #reservedInput = 0;
  #isSettled = false;

  constructor(
    purses: readonly Purse[],
    { inputTokens, mostOutputTokens = Infinity, isBegun }: Omit<CallPlan, "api" | "model" | "lane">,
    { stepTokens, shareTokens }: ReservationOptions,
  ) {
    this.#purses = purses;
    this.#inputTokens = inputTokens;
    this.#stepTokens = stepTokens;
    this.#aheadTokens = Math.floor(stepTokens / 4);
    this.#mostAsked = mostOutputTokens;
    const leftAtFirst = this.#left(inputTokens);
    const leastTokens = Math.min(mostOutputTokens, leastOutputTokens);
    if (leftAtFirst < leastTokens && !isBegun) throw refusal(purses, inputTokens, leastTokens);
    this.isLimited = leftAtFirst < Infinity;
    const isSent = !isBegun && leftAtFirst < mostOutputTokens && leftAtFirst <= largestLimitSent;
    this.mostOutputTokens = isSent ? leftAtFirst : undefined;
    this.#allowed = Math.min(mostOutputTokens, Math.max(leftAtFirst, leastTokens));
    this.#take(
      inputTokens,
      Math.min(this.#allowed, Math.max(leastTokens, Math.min(stepTokens, shareTokens))),
    );
  }

  get reserved(): number {
    return this.#reserved;
  }

  get reservedInput(): number {
    return this.#reservedInput;
  }

  /** How much output it may have written before more has to be reserved. */
  get coveredTokens(): number {
    const reserved = this.#reserved;
    return Math.max(reserved - this.#aheadTokens, reserved >= this.#allowed ? reserved - 1 : 0);
  }

  /** Whether so much output is paid for. */
  cover(outputTokens: number): boolean {
    this.used = outputTokens;
    if (this.#isSettled || outputTokens + this.#aheadTokens <= this.#reserved) return true;
    const next = outputTokens + this.#stepTokens;
    const wanted = outputTokens < this.#mostAsked ? Math.min(next, this.#mostAsked) : next;
    const more = Math.min(wanted - this.#reserved, this.#left(0));
    if (more > 0) this.#take(0, more);
    return outputTokens <= this.coveredTokens;
  }

  /** Takes the input of another attempt. Throws `budget_exhausted` for the purse that has least. */
  repeat(): void {
    if (this.#isSettled) return;
    if (this.#left(this.#inputTokens) < 0) throw refusal(this.#purses, this.#inputTokens, 0);
    this.#take(this.#inputTokens, 0);
  }

  /** Puts what was used in the place of what was reserved; counts once. */
  settle(usage: Usage): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    for (const { ledger, price } of this.#purses) {
      const held = costOf(price, this.#reservedInput, this.#reserved);
      ledger.settle(held, costOf(price, usage.inputTokens, usage.outputTokens));
    }
  }

  #left(inputTokens: number): number {
    let left = Infinity;
    for (const purse of this.#purses) left = Math.min(left, outputLeft(purse, inputTokens));
    return left;
  }

  #take(input: number, output: number): void {
    for (const { ledger, price } of this.#purses) ledger.reserve(costOf(price, input, output));
    this.#reserved += output;
    this.#reservedInput += input;
  }
}

function refusal(purses: readonly Purse[], inputTokens: number, leastTokens: number): TroupeError {
  const [poorest] = purses.toSorted((a, b) => outputLeft(a, inputTokens) - outputLeft(b, inputTokens));
  if (poorest === undefined) throw new Error("There is no purse that could refuse.");
  const { ledger, limit, price, allowance } = poorest;
  const cost = costOf(price, inputTokens, leastTokens);
  if (allowance !== undefined && cost > limit)
    return new TroupeError("larger_than_day_budget", { detail: `${allowance}.` });
  return new TroupeError("budget_exhausted", poorest.refusal(ledger.spent + cost > limit));
}
