import type { Usage } from "../../ports/provider.ts";
import type { CallPlan } from "../../ports/turn-budget.ts";
import { TroupeError, type TroupeErrorOptions } from "../../protocol/errors.ts";

/** The amount spent of a budget, and the amount reserved for running calls. */
export class Ledger {
  /** The amount that may be spent and reserved here, if other nodes pay from the same budget. */
  slice = Infinity;
  /** Spent by other nodes. */
  spentElsewhere = 0;
  /** Spent by other nodes, or in their slices. */
  heldElsewhere = 0;
  #spent = 0;
  #reserved = 0;

  get spent(): number {
    return this.#spent;
  }

  get reserved(): number {
    return this.#reserved;
  }

  reserve(amount: number): void {
    this.#reserved += amount;
  }

  get used(): number {
    return this.#spent + this.#reserved;
  }

  /** Turns a reservation into an expense. */
  settle(reserved: number, spent: number): void {
    this.#reserved -= reserved;
    this.#spent += spent;
  }

  /** Starts again at 0; the reservations of running calls stay. */
  renew(): void {
    this.#spent = 0;
  }
}

/** The price of tokens: 1 each, or in money for a million of them. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

/** A budget that pays for a call: a ledger, its limit, and the price of a token in it. */
export interface Purse {
  readonly ledger: Ledger;
  /** For all nodes together. */
  readonly limit: number;
  /** The name that all nodes know it by; absent if no other node pays from it. */
  readonly name?: string;
  readonly price: Price;
  /** The expense of a call. Default: its tokens by the price. */
  readonly spent?: (usage: Usage) => number;
  /** Present if it is refilled every day: the start of a sentence that names its owner. */
  readonly allowance?: string;
  /** The refusal to tell a client. `isSpent`: the budget is too low even once the running calls have ended. */
  refusal(isSpent: boolean): Pick<TroupeErrorOptions, "detail" | "retryable" | "retryAfterMs">;
}

export function costOf(price: Price, inputTokens: number, outputTokens: number): number {
  return inputTokens * price.input + outputTokens * price.output;
}

/** The output tokens that a purse can pay beside this much input; negative if it cannot even pay the input. */
export function outputLeft({ ledger, limit, price }: Purse, inputTokens: number): number {
  return tokensFor(limit - ledger.heldElsewhere - ledger.used, price, inputTokens);
}

/** The same for the slice of this node. */
function outputLeftHere({ ledger, price }: Purse, inputTokens: number): number {
  return tokensFor(ledger.slice - ledger.used, price, inputTokens);
}

function tokensFor(amount: number, price: Price, inputTokens: number): number {
  const left = amount - inputTokens * price.input;
  if (left < 0) return -1;
  return price.output === 0 ? Infinity : Math.floor(left / price.output);
}

/** The smallest output limit that a vendor accepts (OpenAI, `max_output_tokens`). With less left, no call is started. */
const minOutputTokens = 16;
/**
 * The largest output limit sent because of a budget. Models refuse a limit above their maximum, and all current ones accept this one.
 * With more left, the running count stops the call.
 */
const maxLimitSent = 16_384;

interface ReservationOptions {
  /** Output tokens reserved at a time. */
  readonly stepTokens: number;
  /** Maximum output of the first step, so that concurrent calls find some as well. */
  readonly shareTokens: number;
}

/**
 * The share of one call in its purses. The constructor reserves its input and the first step of its output in all of them. Otherwise it
 * throws `budget_exhausted` for the purse with the least left, or `larger_than_day_budget` if that purse can never have enough.
 *
 * More is reserved step by step, ahead of the growing answer. When a purse refuses, the reservation is not used up yet, so calls that
 * stop at the same moment do not exceed the purse together.
 */
export class Reservation {
  /** One of the purses may run out. */
  readonly isLimited: boolean;
  /** The output limit to give the provider, if the purses are narrower than the request's own limit. */
  readonly maxOutputTokens: number | undefined;
  /** The output at the last `cover`. */
  used = 0;
  readonly #purses: readonly Purse[];
  /** Of one attempt. */
  readonly #inputTokens: number;
  readonly #stepTokens: number;
  readonly #aheadTokens: number;
  /** The output limit that the request itself sets. */
  readonly #maxAsked: number;
  /** The whole output that the call was told it may write. */
  readonly #allowed: number;
  #reserved = 0;
  #reservedInput = 0;
  #isSettled = false;

  constructor(
    purses: readonly Purse[],
    { inputTokens, maxOutputTokens = Infinity, isBegun }: Omit<CallPlan, "api" | "model" | "lane" | "call">,
    { stepTokens, shareTokens }: ReservationOptions,
  ) {
    this.#purses = purses;
    this.#inputTokens = inputTokens;
    this.#stepTokens = stepTokens;
    this.#aheadTokens = Math.floor(stepTokens / 4);
    this.#maxAsked = maxOutputTokens;
    const leftAtFirst = this.#left(inputTokens);
    const leftHere = this.#leftHere(inputTokens);
    const minTokens = Math.min(maxOutputTokens, minOutputTokens);
    if (leftHere < minTokens && !isBegun) throw refusal(purses, inputTokens, minTokens);
    this.isLimited = leftAtFirst < Infinity;
    const isSent = !isBegun && leftAtFirst < maxOutputTokens && leftAtFirst <= maxLimitSent;
    this.maxOutputTokens = isSent ? leftAtFirst : undefined;
    this.#allowed = Math.min(maxOutputTokens, Math.max(leftAtFirst, minTokens));
    const firstStep = Math.max(minTokens, Math.min(stepTokens, shareTokens, leftHere));
    this.#take(inputTokens, Math.min(this.#allowed, firstStep));
  }

  get reserved(): number {
    return this.#reserved;
  }

  get reservedInput(): number {
    return this.#reservedInput;
  }

  /** The output it may write before more must be reserved. */
  get coveredTokens(): number {
    const reserved = this.#reserved;
    return Math.max(reserved - this.#aheadTokens, reserved >= this.#allowed ? reserved - 1 : 0);
  }

  /** Whether this much output is paid for; reserves more if it can. */
  cover(outputTokens: number): boolean {
    this.used = outputTokens;
    if (this.#isSettled || outputTokens + this.#aheadTokens <= this.#reserved) return true;
    const next = outputTokens + this.#stepTokens;
    const wanted = outputTokens < this.#maxAsked ? Math.min(next, this.#maxAsked) : next;
    const more = Math.min(wanted - this.#reserved, this.#leftHere(0));
    if (more > 0) this.#take(0, more);
    return outputTokens <= this.coveredTokens;
  }

  /** Reserves the input of another attempt. Throws `budget_exhausted` for the purse with the least left. */
  repeat(): void {
    if (this.#isSettled) return;
    if (this.#leftHere(this.#inputTokens) < 0) throw refusal(this.#purses, this.#inputTokens, 0);
    this.#take(this.#inputTokens, 0);
  }

  /** Replaces the reservation with the usage; only the first call counts. */
  settle(usage: Usage): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    for (const { ledger, price, spent } of this.#purses) {
      const held = costOf(price, this.#reservedInput, this.#reserved);
      ledger.settle(held, spent?.(usage) ?? costOf(price, usage.inputTokens, usage.outputTokens));
    }
  }

  #left(inputTokens: number): number {
    let left = Infinity;
    for (const purse of this.#purses) left = Math.min(left, outputLeft(purse, inputTokens));
    return left;
  }

  /** The same within the slices of this node as well, so it is never more. */
  #leftHere(inputTokens: number): number {
    let left = this.#left(inputTokens);
    for (const purse of this.#purses) left = Math.min(left, outputLeftHere(purse, inputTokens));
    return left;
  }

  #take(input: number, output: number): void {
    for (const { ledger, price } of this.#purses) ledger.reserve(costOf(price, input, output));
    this.#reserved += output;
    this.#reservedInput += input;
  }
}

function refusal(purses: readonly Purse[], inputTokens: number, minTokens: number): TroupeError {
  const [poorest] = purses.toSorted((a, b) => outputLeft(a, inputTokens) - outputLeft(b, inputTokens));
  if (poorest === undefined) throw new Error("There is no purse that could refuse.");
  const { ledger, limit, price, allowance } = poorest;
  const cost = costOf(price, inputTokens, minTokens);
  if (allowance !== undefined && cost > limit)
    return new TroupeError("larger_than_day_budget", { detail: `${allowance}.` });
  return new TroupeError(
    "budget_exhausted",
    poorest.refusal(ledger.spent + ledger.spentElsewhere + cost > limit),
  );
}

interface KeyLedgersOptions {
  /** Maximum ledgers without a running call. Default 100,000. */
  readonly max?: number;
  /** Whether the ledger without a running call may be dropped now. Default: always. */
  readonly mayDrop?: (keyId: string) => boolean;
}

/**
 * The ledgers of a day's keys and groups, in bounded memory: anonymous callers may be new ones for every request. Above the maximum, the
 * ledgers with the smallest expenses are dropped. A key without a ledger starts with the largest expense that was dropped, so it may get
 * less than its budget but never more. Ledgers of running calls stay.
 */
export class KeyLedgers {
  readonly #max: number;
  readonly #mayDrop: (keyId: string) => boolean;
  readonly #ledgers = new Map<string, Ledger>();
  #maxDropped = 0;
  /** The size at which ledgers are dropped. */
  #dropsAt: number;

  constructor({ max = 100_000, mayDrop = () => true }: KeyLedgersOptions = {}) {
    this.#max = max;
    this.#mayDrop = mayDrop;
    this.#dropsAt = max;
  }

  get size(): number {
    return this.#ledgers.size;
  }

  of(keyId: string): Ledger {
    const known = this.#ledgers.get(keyId);
    if (known !== undefined) return known;
    if (this.#ledgers.size >= this.#dropsAt) this.#drop();
    const ledger = new Ledger();
    ledger.settle(0, this.#maxDropped);
    this.#ledgers.set(keyId, ledger);
    return ledger;
  }

  /** Starts a new day. */
  renew(): void {
    this.#maxDropped = 0;
    this.#dropsAt = this.#max;
    for (const [keyId, ledger] of this.#ledgers) {
      ledger.renew();
      if (ledger.reserved === 0) this.#ledgers.delete(keyId);
    }
  }

  /** Drops a tenth of the ledgers at a time, because it reads all of them. */
  #drop(): void {
    const idle = [...this.#ledgers].filter(([, ledger]) => ledger.reserved === 0);
    const expenses = Float64Array.from(idle, ([, { spent }]) => spent).sort();
    let left = Math.ceil(this.#max / 10);
    const limit = expenses[Math.min(left, expenses.length) - 1] ?? 0;
    for (const [keyId, { spent }] of idle) {
      if (left === 0) break;
      if (spent > limit || !this.#mayDrop(keyId)) continue;
      left -= 1;
      this.#ledgers.delete(keyId);
      this.#maxDropped = Math.max(this.#maxDropped, spent);
    }
    // With many running calls, the next attempt waits for as many new keys again.
    this.#dropsAt = Math.max(this.#max, this.#ledgers.size + Math.ceil(this.#max / 10));
  }
}
