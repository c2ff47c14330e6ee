import { isIPv4, isIPv6 } from "node:net";
import type { RateCounter } from "../../ports/rate-counter.ts";
import type { Refusal } from "./refusals.ts";

/** Failed attempts of one address within a window until no more of its keys are looked at. */
const mostAttempts = 20;

/**
 * Lets an address try only so many credentials. While it has to wait even a right one is refused, since a guess that would be
 * answered is worth making; from another address it works.
 */
export function createFailedAttempts(counter: RateCounter) {
  return {
    /** Looks for whoever holds a credential, unless the address has to wait; `undefined` from `find` counts as failed. */
    async guard<T>(
      remoteAddress: string | undefined,
      find: () => Promise<T | undefined>,
    ): Promise<T | Refusal | undefined> {
      const source = sourceOf(remoteAddress ?? "");
      const { count, windowEndsInMs } = await counter.read(source);
      if (count >= mostAttempts)
        return { status: 429, reason: "Too Many Failed Attempts", retryAfterMs: windowEndsInMs };
      const found = await find();
      if (found === undefined) await counter.add(source);
      return found;
    },
  };
}

/** What one peer can speak from: an IPv4 address, or the 64 bits of an IPv6 address that a network gives to one customer. */
export function sourceOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  if (isIPv4(plain) || !isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const missing = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(missing).fill("0"), ...groups(tail ?? "")];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
