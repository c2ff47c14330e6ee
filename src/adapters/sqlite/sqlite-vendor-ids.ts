import { maxIdChars, type VendorIds, vendorIdRetentionMs } from "../../ports/vendor-ids.ts";
import type { ServedTime, SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";

interface SqliteVendorIdOptions {
  readonly store: SqliteStore;
  readonly served: ServedTime;
}

/** Vendor ids in the database, committed together with the turns that show them. They age by served time. */
export function createSqliteVendorIds({ store, served }: SqliteVendorIdOptions): VendorIds {
  return {
    async note(owner, ids) {
      const nowMs = served.now();
      const nameable = ids.filter((id) => id.length <= maxIdChars);
      if (nameable.length === 0) return;
      // Each new id also deletes a few old ones, so that old ids never pile up.
      const writes = nameable.flatMap((id): Write[] => [
        ["noteVendorId", id, owner, nowMs],
        ["dropOldVendorIds", nowMs - vendorIdRetentionMs],
      ]);
      await store.write(writes, true);
    },
    async isOwn(owner, id) {
      return (await store.read("ownVendorId", id, owner, served.now() - vendorIdRetentionMs)).length > 0;
    },
  };
}
