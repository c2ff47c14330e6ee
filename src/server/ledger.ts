import type { TroupeErrorOptions } from "../protocol/errors.ts";

/** What was spent of something, and what is held back for calls that run. */
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

  /** What was reserved has become what was spent. */
  settle(reserved: number, spent: number): void {
    this.#reserved -= reserved;
    this.#spent += spent;
  }

  /** Begins anew; what runs stays reserved. */
  renew(): void {
    this.#spent = 0;
  }
}

/** A price of tokens: one by one, or in money for a million of them. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

/** Of what a call is paid: a ledger, where it ends, and what a token takes of it. */
export interface Purse {
  readonly ledger: Ledger;
  readonly limit: number;
  readonly price: Price;
  /** Present if it is filled again every day: whose it is, as the beginning of a sentence. */
  readonly allowance?: string;
  /** What a client is told when it pays no more; `isSpent`: not even when the calls that run have ended. */
  refusal(isSpent: boolean): Pick<TroupeErrorOptions, "detail" | "retryable" | "retryAfterMs">;
}

export function costOf(price: Price, inputTokens: number, outputTokens: number): number {
  return inputTokens * price.input + outputTokens * price.output;
}

/** How many tokens of output a purse pays beside so many of input; negative where not even those. */
export function outputLeft({ ledger, limit, price }: Purse, inputTokens: number): number {
  const left = limit - ledger.spent - ledger.reserved - inputTokens * price.input;
  if (left < 0) return -1;
  return price.output === 0 ? Infinity : Math.floor(left / price.output);
}
