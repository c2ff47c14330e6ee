import type { RateCounter } from "../../ports/rate-counter.ts";
import { networkOf } from "./client-address.ts";
import { type Refusal, tooManyAttempts } from "./refusals.ts";

/** Wrong credentials that one address may send within a window; later ones are told to wait. */
const maxAttempts = 20;

/**
 * Counts the wrong credentials of an address, and refuses more of them with the time to wait. A right credential is never refused: others
 * may use the same address, and a key of 16 or more characters cannot be guessed by many tries.
 */
export function createFailedAttempts(counter: RateCounter) {
  return {
    /** Counts one more wrong credential; `undefined` while the address is below its limit. */
    async refuse(address: string): Promise<Refusal | undefined> {
      const { count, windowEndsInMs } = await counter.add(networkOf(address));
      return count > maxAttempts ? tooManyAttempts(windowEndsInMs) : undefined;
    },
  };
}
