import type { Clock } from "../../ports/clock.ts";
import type { KeyStore, StoredKey } from "../../ports/key-store.ts";

/** Keys in memory, which are lost when the process ends. */
export function createMemoryKeys({ clock }: { readonly clock: Clock }): KeyStore {
  const keys = new Map<string, StoredKey>();
  const idByDigest = new Map<string, string>();
  const listeners = new Set<(id: string) => void>();
  return {
    async create(key, digest) {
      const stored = { ...key, id: clock.newId(), createdAtMs: clock.wallTimeMs() };
      keys.set(stored.id, stored);
      idByDigest.set(digest, stored.id);
      return stored;
    },
    list: async () => [...keys.values()],
    find: async (digest) => keys.get(idByDigest.get(digest) ?? ""),
    async revoke(id) {
      const key = keys.get(id);
      if (key === undefined || key.revokedAtMs !== undefined) return undefined;
      const revoked = { ...key, revokedAtMs: clock.wallTimeMs() };
      keys.set(id, revoked);
      for (const [digest, of] of idByDigest) if (of === id) idByDigest.delete(digest);
      for (const listener of listeners) listener(id);
      return revoked;
    },
    onRevoked: (listener) => void listeners.add(listener),
  };
}
