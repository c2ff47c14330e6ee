import { maxChain, maxResponseChars, type ResponseStore } from "../../ports/response-store.ts";
import { storedVersion } from "../../ports/stored-version.ts";
import { itemsOfChain } from "../database/kept-responses.ts";
import type { ServedTime, SqliteStore } from "./sqlite-store.ts";

interface SqliteResponseOptions {
  readonly store: SqliteStore;
  readonly served: ServedTime;
  /** How long a response is kept, milliseconds of served time. */
  readonly retentionMs: number;
}

/** Responses in the database, committed together with the turns that show them. */
export function createSqliteResponses({ store, served, retentionMs }: SqliteResponseOptions): ResponseStore {
  return {
    async keep(owner, { id, previousId = null, items }) {
      const json = JSON.stringify(items);
      if (json.length > maxResponseChars) return;
      await store.write([["keepResponse", id, owner, previousId, json, storedVersion, served.now()]], true);
    },
    async context(owner, id, maxChars) {
      const values = [owner, served.now() - retentionMs, id, maxChars, maxChain];
      const rows = await store.read("responseChain", ...values);
      return itemsOfChain(rows, maxChars, store.report);
    },
  };
}
