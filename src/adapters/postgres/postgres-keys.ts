import type { Clock } from "../../ports/clock.ts";
import type { KeyStore } from "../../ports/key-store.ts";
import { storageUnavailable } from "../database/commits.ts";
import { toKey, valuesOfKey } from "../database/key-rows.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";

const statements = named({
  createKey: `INSERT INTO keys (id, digest, owner, name, created_at_ms, connections, requests_per_minute, requests_in_flight, tokens_per_day)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (id) DO NOTHING`,
  listKeys: `SELECT * FROM keys ORDER BY number`,
  findKey: `SELECT * FROM keys WHERE digest = $1`,
  // The same attempt may come twice, and also wait for itself: then it gets a second number, which does no harm.
  revokeKey: `WITH revoked AS (
      INSERT INTO counters AS c (name, value) SELECT 'revocations', 1 FROM keys WHERE id = $2 AND revoked_at_ms IS NULL
      ON CONFLICT (name) DO UPDATE SET value = c.value + 1 RETURNING value)
    UPDATE keys SET digest = NULL, revoked_at_ms = coalesce(revoked_at_ms, $1), revoked_by = $3,
      revocation = coalesce((SELECT value FROM revoked), revocation)
    WHERE id = $2 AND (revoked_at_ms IS NULL OR revoked_by = $3) RETURNING *`,
  revokedSince: "SELECT id, revocation FROM keys WHERE revocation > $1 ORDER BY revocation",
  lastRevocation: "SELECT value FROM counters WHERE name = 'revocations'",
  noteSeen: "UPDATE nodes SET keys_seen = $2 WHERE incarnation = $1 AND keys_seen < $2",
  unseen: "SELECT 1 FROM nodes WHERE incarnation <> $1 AND keys_seen < $2 LIMIT 1",
});

interface PostgresKeys extends KeyStore {
  /** Other nodes have revoked keys, up to this number if it is known. Closes their sockets here and tells that it has. */
  lookForRevoked(upTo?: number): Promise<void>;
  /** Settles when all revocations of before count as seen: this node has no sockets yet. */
  start(): Promise<void>;
  /** Sets the function that is called with a key that was revoked here. */
  onRevokedHere(listener: (id: string) => void): void;
}

/** How long a revocation waits until other nodes have acted on it, milliseconds: one that is silent so long is dead. */
const seenLimitMs = 8_000;
const seenPauseMs = 50;

/** Keys in the database. */
export function createPostgresKeys({
  store,
  clock,
}: {
  readonly store: PostgresStore;
  readonly clock: Clock;
}): PostgresKeys {
  const listeners = new Set<(id: string) => void>();
  let seen = 0;
  let tellOthers: (id: string) => void = () => undefined;

  function noteRevoked(id: string): void {
    for (const listener of listeners) listener(id);
  }

  /** Waits until no other node sends anything to the owner of a revoked key. */
  async function seenByAll(revocation: number): Promise<void> {
    const untilMs = clock.now() + seenLimitMs;
    while (clock.now() < untilMs) {
      if (store.closing.aborted)
        throw storageUnavailable(new Error("not all servers have heard of the revocation"));
      const nodes = await store.query("", statements.unseen, [store.incarnation, revocation]);
      if (nodes.length === 0) return;
      await clock.sleep(seenPauseMs, store.closing);
    }
  }

  async function markSeen(revocation: number): Promise<void> {
    seen = Math.max(seen, revocation);
    await store.queryInTurn("", statements.noteSeen, [store.incarnation, seen]);
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
      const values = [clock.wallTimeMs(), id, clock.newId()];
      const [row] = await store.query("", statements.revokeKey, values);
      if (row === undefined) return undefined;
      noteRevoked(id);
      tellOthers(id);
      await seenByAll(Number(row.revocation));
      return toKey(row);
    },
    async lookForRevoked(upTo) {
      if (upTo !== undefined && upTo <= seen) return;
      const rows = await store.queryInTurn("", statements.revokedSince, [seen]);
      for (const { id } of rows) noteRevoked(String(id));
      // Numbers are committed in their order.
      const last = Math.max(upTo ?? 0, Number(rows.at(-1)?.revocation ?? 0));
      if (last > seen) await markSeen(last);
    },
    async start() {
      const [row] = await store.query("", statements.lastRevocation);
      await markSeen(Number(row?.value ?? 0));
    },
    onRevokedHere(listener) {
      tellOthers = listener;
    },
    onRevoked: (listener) => void listeners.add(listener),
  };
}
