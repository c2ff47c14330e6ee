import type { RateCounter } from "../../ports/rate-counter.ts";
import { networkOf } from "./client-address.ts";
import { type Refusal, tooManyAttempts } from "./refusals.ts";

/** Wrong credentials of one address within a window, after which the next ones are told to wait. */
const maxAttempts = 20;

/**
 * Counts the wrong credentials of an address, and refuses further wrong ones with the time to wait. A right one is never refused:
 * others may speak from the same address, and a key of 16 or more characters is not guessed by asking often.
 */
export function createFailedAttempts(counter: RateCounter) {
  return {
    /** Counts one more wrong credential; `undefined` while the address may go on. */
    async refuse(address: string): Promise<Refusal | undefined> {
      const { count, windowEndsInMs } = await counter.add(networkOf(address));
      return count > maxAttempts ? tooManyAttempts(windowEndsInMs) : undefined;
    },
  };
}
