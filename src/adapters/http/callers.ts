import type { IncomingMessage } from "node:http";
import type { Caller, CallerLimits } from "../../ports/caller.ts";
import type { KeyStore, StoredKey } from "../../ports/key-store.ts";
import type { RateCounter } from "../../ports/rate-counter.ts";
import type { Tickets } from "../../ports/tickets.ts";
import { networkOf } from "./client-address.ts";
import { type Credential, type Credentials, credentialIn, digest } from "./credentials.ts";
import { createFailedAttempts } from "./failed-attempts.ts";
import { type Refusal, refusals } from "./refusals.ts";

/**
 * Who may come: holders of keys; anyone, each with what is its own; anyone, and all are the same caller; or the users of the
 * application that the server is embedded in.
 */
export type Admission = "keys" | "separate" | "shared" | "authenticate";

export interface CallersOptions {
  readonly admission: Exclude<Admission, "authenticate">;
  /** Owners and their keys as the settings give them; one owner may have several. */
  readonly fixedKeys: readonly { readonly owner: string; readonly key: string }[];
  /** Keys that were given out. */
  readonly keys: KeyStore;
  /** All of them as they were at the start, before `keys` tells of revocations. */
  readonly keysBefore: readonly StoredKey[];
  readonly adminKey: string | undefined;
  readonly tickets: Tickets;
  /** Unguessable; names those who show no secret. */
  readonly newId: () => string;
  /** Counts failed attempts by address. */
  readonly attempts: RateCounter;
  /** What callers without keys may use, those of one address and all of them together. */
  readonly anonymousLimits: { readonly perAddress: CallerLimits; readonly inAll: CallerLimits };
}

/** Everyone, where all are the same caller. */
export const anonymous: Caller = { owner: "anonymous", keyId: "anonymous", limits: {} };
/** Begins the owner of each of several callers without keys. */
const anonymousPrefix = `${anonymous.owner}:`;
const allAnonymous = { id: "anonymous", name: "All callers without a key" };

/** The groups of a caller that is known by its key's id only. */
export function groupIdsOf(keyId: string): readonly string[] {
  return keyId.startsWith(anonymousPrefix) ? [allAnonymous.id] : [];
}

/** Whoever holds the administrator's key: no caller, who would have requests and conversations. */
interface Administrator {
  readonly role: "administrator";
}

/** A secret that a caller chose: long enough that nobody guesses another's. */
const secretForm = /^.{16,128}$/;

/** The one path from a request to its caller, for the socket and for HTTP. */
export interface Callers {
  readonly admission: Admission;
  /** Whether what a caller was admitted with is still good. */
  readonly isAdmitted: (caller: Caller) => boolean;
  identify(credentials: Credentials, request: IncomingMessage): Promise<Caller | Administrator | Refusal>;
}

/** Callers that show a key, a secret or nothing. Keys are held as digests only. */
export function createCallers(options: CallersOptions): Callers {
  const { admission, fixedKeys, keys, keysBefore, adminKey, tickets, attempts, newId } = options;
  const { perAddress, inAll } = options.anonymousLimits;
  const needsKey = admission === "keys";
  const failedAttempts = createFailedAttempts(attempts);
  const adminDigest = adminKey === undefined ? undefined : digest(adminKey);
  const fixed = new Map(
    fixedKeys.map(({ owner, key }): [string, Caller] => {
      const keyDigest = digest(key);
      return [keyDigest, { owner, keyId: idOf(keyDigest), limits: {} }];
    }),
  );
  /** Keys that were revoked: what was admitted with one of them, perhaps in a process before or beside this one, is told apart by it. */
  const revoked = new Set(
    keysBefore.flatMap(({ id, revokedAtMs }) => (revokedAtMs === undefined ? [] : [id])),
  );
  keys.onRevoked((id) => revoked.add(id));
  const isAdmitted = ({ keyId }: Caller) => !revoked.has(keyId);

  /** One caller among the anonymous ones. No key has such an owner, since none may have a colon in its name. */
  function anonymousOf(name: string, address: string): Caller {
    const owner = `${anonymousPrefix}${name}`;
    const ofAddress = { id: `address ${networkOf(address)}`, name: "This address", limits: perAddress };
    return { owner, keyId: owner, limits: {}, groups: [ofAddress, { ...allAnonymous, limits: inAll }] };
  }

  async function find(
    credential: Exclude<Credential, { type: "none" }>,
    address: string,
  ): Promise<Caller | Administrator | undefined> {
    if (credential.type === "ticket") return tickets.redeem(credential.ticket);
    if (!needsKey)
      return secretForm.test(credential.secret) ? anonymousOf(digest(credential.secret), address) : undefined;
    const keyDigest = digest(credential.secret);
    if (keyDigest === adminDigest) return { role: "administrator" };
    const known = fixed.get(keyDigest);
    if (known !== undefined) return known;
    const key = await keys.find(keyDigest);
    return key === undefined ? undefined : { owner: key.owner, keyId: key.id, limits: key.limits };
  }

  function refusalOf(type: Credential["type"]): Refusal {
    if (type === "ticket") return refusals.badTicket;
    return needsKey ? refusals.needsKey : refusals.badSecret;
  }

  return {
    admission,
    isAdmitted,
    async identify(credentials) {
      if (admission === "shared") return anonymous;
      const credential = credentialIn(credentials);
      const { address } = credentials;
      if (credential.type === "none") return needsKey ? refusals.needsKey : anonymousOf(newId(), address);
      const found = await find(credential, address);
      if (found === undefined) return (await failedAttempts.refuse(address)) ?? refusalOf(credential.type);
      // It may have been revoked while it was looked up, and a ticket outlives the key that it was issued to.
      return "keyId" in found && !isAdmitted(found) ? refusals.needsKey : found;
    },
  };
}

/** The name of a key that stands in the settings: made of its digest, which a name that is shown must not give away. */
function idOf(keyDigest: string): string {
  return `key-${digest(keyDigest).slice(0, 16)}`;
}
