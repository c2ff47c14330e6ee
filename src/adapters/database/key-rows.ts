import type { StoredKey } from "../../ports/key-store.ts";
import type { Row } from "./row.ts";

/** The columns of a key's limits and their fields. */
const limitColumns = [
  ["connections", "connections"],
  ["requests_per_minute", "requestsPerMinute"],
  ["requests_in_flight", "requestsInFlight"],
  ["tokens_per_day", "tokensPerDay"],
] as const;

/** The values of a new key's row: id, digest, owner, name, time, and limits. */
export function valuesOfKey(
  { id, owner, name, createdAtMs, limits }: StoredKey,
  digest: string,
): (string | number | null)[] {
  return [
    id,
    digest,
    owner,
    name ?? null,
    createdAtMs,
    ...limitColumns.map(([, field]) => limits[field] ?? null),
  ];
}

export function toKey(row: Row): StoredKey {
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
