import { maxChain, maxResponseChars, type ResponseStore } from "../../ports/response-store.ts";
import { itemsOfChain } from "../database/kept-responses.ts";
import { sha256 } from "../system/system.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";
import type { ServedTime } from "./served-time.ts";

const statements = named({
  // Reads no more once the rows before have enough characters.
  responseChain: `WITH RECURSIVE chain AS (
      SELECT digest, previous, items, version, 0 AS depth, length(items) AS chars FROM responses
      WHERE digest = $1 AND owner = $2 AND kept_ms > $3
      UNION ALL
      SELECT r.digest, r.previous, r.items, r.version, c.depth + 1, c.chars + length(r.items)
      FROM chain c JOIN responses r ON r.digest = c.previous AND r.owner = $2 AND r.kept_ms > $3
      WHERE c.chars < $4::int AND c.depth < $5::int - 1)
    SELECT previous, items, version FROM chain ORDER BY depth`,
});

interface PostgresResponseOptions {
  readonly store: PostgresStore;
  readonly served: ServedTime;
  /** How long a response is kept, milliseconds of served time. */
  readonly retentionMs: number;
}

/** Responses in the database, committed together with the turns that show them. Their ids are stored as digests, like all ids of vendors. */
export function createPostgresResponses({
  store,
  served,
  retentionMs,
}: PostgresResponseOptions): ResponseStore {
  return {
    async keep(owner, { id, previousId, items }) {
      const json = JSON.stringify(items);
      if (json.length > maxResponseChars) return;
      const previous = previousId === undefined ? null : sha256(previousId);
      const keptMs = served.now();
      await store.commit(
        { kind: "response", owner, digest: sha256(id), previous, items: json, keptMs },
        true,
      );
    },
    async context(owner, id, maxChars) {
      const values = [sha256(id), owner, served.now() - retentionMs, maxChars, maxChain];
      const rows = await store.query(owner, statements.responseChain, values);
      return itemsOfChain(rows, maxChars, store.report);
    },
  };
}
