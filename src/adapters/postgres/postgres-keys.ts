import type { Clock } from "../../ports/clock.ts";
import type { KeyStore } from "../../ports/key-store.ts";
import { toKey, valuesOfKey } from "../database/key-rows.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";

const statements = named({
  createKey: `INSERT INTO keys (id, digest, owner, name, created_at_ms, connections, requests_per_minute, requests_in_flight, tokens_per_day)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (id) DO NOTHING`,
  listKeys: `SELECT * FROM keys ORDER BY number`,
  findKey: `SELECT * FROM keys WHERE digest = $1`,
  revokeKey: `UPDATE keys SET digest = NULL, revoked_at_ms = $1 WHERE id = $2 AND revoked_at_ms IS NULL RETURNING *`,
});

interface PostgresKeys extends KeyStore {
  /** A key was revoked at another node. */
  noteRevoked(id: string): void;
  /** Sets the function that is called with a key that was revoked here. */
  onRevokedHere(listener: (id: string) => void): void;
}

/** Keys in the database. */
export function createPostgresKeys({
  store,
  clock,
}: {
  readonly store: PostgresStore;
  readonly clock: Clock;
}): PostgresKeys {
  const listeners = new Set<(id: string) => void>();
  let tellOthers: (id: string) => void = () => undefined;

  function noteRevoked(id: string): void {
    for (const listener of listeners) listener(id);
  }

  return {
    async create(key, digest) {
      const stored = { ...key, id: clock.newId(), createdAtMs: clock.wallTimeMs() };
      await store.query("", statements.createKey, valuesOfKey(stored, digest));
      return stored;
    },
    list: async () => (await store.query("", statements.listKeys)).map(toKey),
    async find(digest) {
      const [row] = await store.query("", statements.findKey, [digest]);
      return row === undefined ? undefined : toKey(row);
    },
    async revoke(id) {
      const [row] = await store.query("", statements.revokeKey, [clock.wallTimeMs(), id]);
      if (row === undefined) return undefined;
      noteRevoked(id);
      tellOthers(id);
      return toKey(row);
    },
    noteRevoked,
    onRevokedHere(listener) {
      tellOthers = listener;
    },
    onRevoked: (listener) => void listeners.add(listener),
  };
}
