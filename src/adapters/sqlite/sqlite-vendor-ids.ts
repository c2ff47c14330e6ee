import { maxIdChars, type VendorIds, vendorIdRetentionMs } from "../../ports/vendor-ids.ts";
import type { ServedTime } from "./served-time.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";

export interface SqliteVendorIdOptions {
  readonly store: SqliteStore;
  readonly served: ServedTime;
}

/** Ids of a vendor in the database, written together with the turns that show them. They age by the time that servers ran. */
export function createSqliteVendorIds({ store, served }: SqliteVendorIdOptions): VendorIds {
  return {
    async note(owner, ids) {
      const nowMs = served.now();
      const nameable = ids.filter((id) => id.length <= maxIdChars);
      if (nameable.length === 0) return;
      // With every id that comes a few old ones go, so that there is never a heap of them.
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
