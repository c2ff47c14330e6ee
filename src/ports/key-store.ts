import type { CallerLimits } from "./caller.ts";

/** What whoever gives out a key says of it. */
export interface NewKey {
  readonly owner: string;
  /** What the key is for, for people. */
  readonly name?: string;
  readonly limits: CallerLimits;
}

/** A key as it is kept: the key itself is not. */
export interface StoredKey extends NewKey {
  readonly id: string;
  /** Wall clock, milliseconds since 1970, for display. */
  readonly createdAtMs: number;
  /** Present once it is of no use any more. */
  readonly revokedAtMs?: number;
}

/**
 * Keys that the server has given out, known by their digests.
 *
 * Contract: `create` keeps a key under its digest; no two keys are the same, since they are made at random. `find` gives the key of a digest until it is revoked. `revoke`
 * is final: the digest is gone, while the key stays in the list, since what was done with it is recorded under its id. It answers
 * `undefined` where there is no such key or it was revoked before, and settles when everyone who listens has heard of it: here and
 * in every other process on the same store. `list` has all keys, the oldest first.
 */
export interface KeyStore {
  create(key: NewKey, digest: string): Promise<StoredKey>;
  list(): Promise<readonly StoredKey[]>;
  find(digest: string): Promise<StoredKey | undefined>;
  revoke(id: string): Promise<StoredKey | undefined>;
  /**
   * From now on the listener is called with the id of every key that is revoked, in the moment in which it is; where another process
   * keeps the keys, at once also with what it has told of before.
   */
  onRevoked(listener: (id: string) => void): void;
}
