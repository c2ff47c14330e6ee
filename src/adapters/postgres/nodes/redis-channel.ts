import { createHash, randomBytes } from "node:crypto";
import { named } from "../connection.ts";
import type { PostgresStore } from "../postgres-store.ts";

const statements = named({
  // The first node draws the number.
  place: `INSERT INTO counters AS c (name, value) VALUES ('redis_channel', $1) ON CONFLICT (name) DO UPDATE SET value = c.value
    RETURNING value::text, current_database() AS name,
      (SELECT oid FROM pg_database WHERE datname = current_database()) AS oid`,
});

/**
 * The channel of the nodes on one database. Another database on the same Redis has the same numbers of turns, so its messages must not arrive
 * here. A copy has the drawn number as well, but another name or another object number.
 */
export async function channelOf(store: Pick<PostgresStore, "query">): Promise<string> {
  const [row] = await store.query("", statements.place, [String(randomBytes(8).readBigInt64BE())]);
  const place = `${row?.value} ${row?.oid} ${row?.name}`;
  return `troupe:${createHash("sha256").update(place).digest("hex").slice(0, 32)}`;
}
