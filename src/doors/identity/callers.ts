import type { IncomingMessage } from "node:http";
import type { Caller, CallerLimits } from "../../ports/caller.ts";
import type { KeyStore, StoredKey } from "../../ports/key-store.ts";
import type { RateCounter } from "../../ports/rate-counter.ts";
import type { Tickets } from "../../ports/tickets.ts";
import { networkOf } from "./client-address.ts";
import { type Credential, type Credentials, credentialIn, digest } from "./credentials.ts";
import { type Refusal, refusals, tooManyAttempts } from "./refusals.ts";

/**
 * The rule for admission. `keys`: holders of keys. `separate`: anyone, each with requests and conversations of their own. `shared`:
 * anyone, and all are the same caller. `authenticate`: users of the application that embeds the server.
 */
export type Admission = "keys" | "separate" | "shared" | "authenticate";

export interface CallersOptions {
  readonly admission: Exclude<Admission, "authenticate">;
  /** Owners and their keys from the settings; one owner may have several. */
  readonly fixedKeys: readonly { readonly owner: string; readonly key: string }[];
  /** Issued keys. */
  readonly keys: KeyStore;
  /** All issued keys at the start, before `keys` reports revocations. */
  readonly keysBefore: readonly StoredKey[];
  readonly adminKey: string | undefined;
  readonly tickets: Tickets;
  /** Makes an unguessable name for a caller without a secret. */
  readonly newId: () => string;
  /** Counts failed attempts by address. */
  readonly attempts: RateCounter;
  /** Limits of callers without keys: for one address, and for all of them together. */
  readonly anonymousLimits: { readonly perAddress: CallerLimits; readonly inAll: CallerLimits };
}

/** The caller that everyone is under `shared`. */
export const anonymous: Caller = { owner: "anonymous", keyId: "anonymous", limits: {} };
/** Prefix of the owners of separate callers without keys. */
const anonymousPrefix = `${anonymous.owner}:`;
/** Prefix of the owners that an embedding application names. The owner of a key has no colon. */
const userPrefix = "user:";
const allAnonymous = { id: "anonymous", name: "All callers without a key" };

/** The groups of a caller of which only the key's id is known. */
export function groupIdsOf(keyId: string): readonly string[] {
  return keyId.startsWith(anonymousPrefix) ? [allAnonymous.id] : [];
}

/** The owner under which the data of an application's user is stored, and the key id of the user's sockets. */
export function keyIdOfUser(user: string): string {
  return `${userPrefix}${user}`;
}

/** The application's name of a user. Any other owner stays as it is. */
export function userOf(owner: string): string {
  return owner.startsWith(userPrefix) ? owner.slice(userPrefix.length) : owner;
}

/** The holder of the administrator's key. It is not a caller, because callers have requests and conversations. */
interface Administrator {
  readonly role: "administrator";
}

/** The form of a secret that a caller chose: long enough that it cannot be guessed. */
const secretForm = /^.{16,128}$/;

/** Finds the caller of a request: the only way to do so, for the socket and for HTTP. */
export interface Callers {
  readonly admission: Admission;
  /** Whether the key that admitted a caller is still valid. */
  readonly isAdmitted: (caller: Caller) => boolean;
  identify(credentials: Credentials, request: IncomingMessage): Promise<Caller | Administrator | Refusal>;
}

/** Identifies callers by a key, a secret or neither. Keys are held as digests only. */
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
  /** Ids of revoked keys. They invalidate callers that such a key admitted, perhaps in an earlier or another process. */
  const revoked = new Set(
    keysBefore.flatMap(({ id, revokedAtMs }) => (revokedAtMs === undefined ? [] : [id])),
  );
  keys.onRevoked((id) => revoked.add(id));
  const isAdmitted = ({ keyId }: Caller) => !revoked.has(keyId);

  /** One caller among the anonymous ones. No key has such an owner, because a key's owner may not contain a colon. */
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
      // The key may have been revoked during the look-up, and a ticket may outlive the key that it was issued to.
      return "keyId" in found && !isAdmitted(found) ? refusals.needsKey : found;
    },
  };
}

/** The id of a key from the settings. It is a digest of the key's digest, because ids are shown and must not reveal the latter. */
function idOf(keyDigest: string): string {
  return `key-${digest(keyDigest).slice(0, 16)}`;
}

/** Wrong credentials that one address may send within a window; later ones are told to wait. */
const maxAttempts = 20;

/**
 * Counts the wrong credentials of an address, and refuses more of them with the time to wait. A right credential is never refused: others
 * may use the same address, and a key of 16 or more characters cannot be guessed by many tries.
 */
function createFailedAttempts(counter: RateCounter) {
  return {
    /** Counts one more wrong credential; `undefined` while the address is below its limit. */
    async refuse(address: string): Promise<Refusal | undefined> {
      const { count, windowEndsInMs } = await counter.add(networkOf(address));
      return count > maxAttempts ? tooManyAttempts(windowEndsInMs) : undefined;
    },
  };
}
