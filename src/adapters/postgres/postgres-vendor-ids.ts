import { maxIdChars, type VendorIds, vendorIdRetentionMs } from "../../ports/vendor-ids.ts";
import { sha256 } from "../system/system.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";
import type { ServedTime } from "./served-time.ts";

const statements = named({
  ownVendorId: `SELECT 1 FROM vendor_ids WHERE digest = $1 AND owner = $2 AND noted_ms > $3`,
});

interface PostgresVendorIdOptions {
  readonly store: PostgresStore;
  readonly served: ServedTime;
}

/**
 * Vendor ids in the database, committed together with the turns that show them. They are stored as digests, because an id may be longer than an
 * entry of an index. They age by served time.
 */
export function createPostgresVendorIds({ store, served }: PostgresVendorIdOptions): VendorIds {
  return {
    async note(owner, ids) {
      const digests = new Set(ids.filter((id) => id.length <= maxIdChars).map(sha256));
      if (digests.size === 0) return;
      await store.commit({ kind: "vendor-ids", owner, digests: [...digests], notedMs: served.now() }, true);
    },
    async isOwn(owner, id) {
      const values = [sha256(id), owner, served.now() - vendorIdRetentionMs];
      return (await store.query(owner, statements.ownVendorId, values)).length > 0;
    },
  };
}
