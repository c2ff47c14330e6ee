import type { TroupeErrorOptions } from "../../protocol/errors.ts";

/** The amount spent of a budget, and the amount reserved for running calls. */
export class Ledger {
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
  readonly limit: number;
  readonly price: Price;
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
  const left = limit - ledger.spent - ledger.reserved - inputTokens * price.input;
  if (left < 0) return -1;
  return price.output === 0 ? Infinity : Math.floor(left / price.output);
}
