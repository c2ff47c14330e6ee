import type { Clock } from "../../ports/clock.ts";
import type { KeyStore } from "../../ports/key-store.ts";
import { toKey, valuesOfKey } from "../database/key-rows.ts";
import type { SqliteStore } from "./sqlite-store.ts";

/** Keys in the database. */
export function createSqliteKeys({
  store,
  clock,
}: {
  readonly store: SqliteStore;
  readonly clock: Clock;
}): KeyStore {
  const listeners = new Set<(id: string) => void>();

  return {
    async create(key, digest) {
      const stored = { ...key, id: clock.newId(), createdAtMs: clock.wallTimeMs() };
      await store.write([["createKey", ...valuesOfKey(stored, digest)]], true);
      return stored;
    },
    list: async () => (await store.read("listKeys")).map(toKey),
    async find(digest) {
      const [row] = await store.read("findKey", digest);
      return row === undefined ? undefined : toKey(row);
    },
    async revoke(id) {
      const [row] = await store.read("findKeyById", id);
      if (row === undefined) return undefined;
      const revokedAtMs = clock.wallTimeMs();
      await store.write([["revokeKey", revokedAtMs, id]], true);
      for (const listener of listeners) listener(id);
      return { ...toKey(row), revokedAtMs };
    },
    onRevoked: (listener) => void listeners.add(listener),
  };
}
