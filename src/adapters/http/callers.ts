import type { Caller } from "../../ports/caller.ts";
import type { RateCounter } from "../../ports/rate-counter.ts";
import type { Tickets } from "../../ports/tickets.ts";
import { type Credential, type Credentials, credentialIn, digest } from "./credentials.ts";
import { createFailedAttempts } from "./failed-attempts.ts";
import type { Refusal } from "./refusals.ts";

export interface CallersOptions {
  /** Owners and their keys; one owner may have several. Without any, everyone is the same anonymous caller. */
  readonly keys: readonly { readonly owner: string; readonly key: string }[];
  readonly tickets: Tickets;
  /** Counts failed attempts by address. */
  readonly attempts: RateCounter;
}

/** Until there are keys, everyone is the same caller. */
export const anonymous: Caller = { owner: "anonymous", keyId: "anonymous", limits: {} };

const unauthenticated: Refusal = { status: 401, reason: "Unauthorized" };

/** The one path from a request to its caller, for the socket and for HTTP. Keys are held as digests only. */
export function createCallers({ keys, tickets, attempts }: CallersOptions) {
  const failedAttempts = createFailedAttempts(attempts);
  const known = new Map(
    keys.map(({ owner, key }): [string, Caller] => {
      const keyDigest = digest(key);
      return [keyDigest, { owner, keyId: idOf(keyDigest), limits: {} }];
    }),
  );

  async function find(credential: Exclude<Credential, { type: "none" }>): Promise<Caller | undefined> {
    if (credential.type === "ticket") return tickets.redeem(credential.ticket);
    return known.get(digest(credential.secret));
  }

  return {
    /** Whether a caller needs a key. */
    needsKey: known.size > 0,
    async identify(credentials: Credentials): Promise<Caller | Refusal> {
      if (known.size === 0) return anonymous;
      const credential = credentialIn(credentials);
      if (credential.type === "none") return unauthenticated;
      const found = await failedAttempts.guard(credentials.remoteAddress, () => find(credential));
      return found ?? unauthenticated;
    },
  };
}

export type Callers = ReturnType<typeof createCallers>;

/** The name of a key that stands in the environment: made of its digest, which a name that is shown must not give away. */
function idOf(keyDigest: string): string {
  return `key-${digest(keyDigest).slice(0, 16)}`;
}
