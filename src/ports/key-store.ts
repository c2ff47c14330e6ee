import type { CallerLimits } from "./caller.ts";

/** A key to create. */
interface NewKey {
  readonly owner: string;
  /** A note for people about the key's purpose. */
  readonly name?: string;
  readonly limits: CallerLimits;
}

/** A key as it is stored, without the key itself. */
export interface StoredKey extends NewKey {
  readonly id: string;
  /** Wall clock, milliseconds since 1970, for display. */
  readonly createdAtMs: number;
  /** Present once the key is revoked. */
  readonly revokedAtMs?: number;
}

/**
 * Keys that the server has given out, found by their digests.
 *
 * Contract:
 * - `create` stores a key under its digest. No two keys are the same, because they are random;
 * - `find` returns the key of a digest until it is revoked;
 * - `revoke` is final. The digest is deleted, but the key stays in the list, because its use is recorded under its id. It settles once
 *   every listener has been called, here and in every other process on the same store. It returns `undefined` if there is no such key or
 *   it was revoked before;
 * - `list` returns all keys, the oldest first.
 */
export interface KeyStore {
  create(key: NewKey, digest: string): Promise<StoredKey>;
  list(): Promise<readonly StoredKey[]>;
  find(digest: string): Promise<StoredKey | undefined>;
  revoke(id: string): Promise<StoredKey | undefined>;
  /**
   * From now on, calls the listener with the id of every key at the moment it is revoked. If another process keeps the keys, the listener
   * is also called at once with the ids that process has already sent.
   */
  onRevoked(listener: (id: string) => void): void;
}
