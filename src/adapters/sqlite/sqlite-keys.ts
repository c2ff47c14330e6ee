import type { Clock } from "../../ports/clock.ts";
import type { KeyStore, StoredKey } from "../../ports/key-store.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Row } from "./statements.ts";

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
      const limits = limitColumns.map(([, field]) => key.limits[field] ?? null);
      const { id, owner, name = null, createdAtMs } = stored;
      await store.write([["createKey", id, digest, owner, name, createdAtMs, ...limits]], true);
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

/** The columns of a key's limits and their fields. */
const limitColumns = [
  ["connections", "connections"],
  ["requests_per_minute", "requestsPerMinute"],
  ["requests_in_flight", "requestsInFlight"],
  ["tokens_per_day", "tokensPerDay"],
] as const;

function toKey(row: Row): StoredKey {
  const limits = limitColumns.filter(([column]) => row[column] !== null);
  return {
    id: String(row.id),
    owner: String(row.owner),
    ...(row.name === null ? {} : { name: String(row.name) }),
    limits: Object.fromEntries(limits.map(([column, field]) => [field, Number(row[column])])),
    createdAtMs: Number(row.created_at_ms),
    ...(row.revoked_at_ms === null ? {} : { revokedAtMs: Number(row.revoked_at_ms) }),
  };
}
