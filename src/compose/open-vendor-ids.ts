import type { Callers } from "../doors/identity/callers.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";
import type { Stores } from "./open-stores.ts";
import { SettingError, type Settings } from "./settings.ts";

/**
 * The vendor ids that callers may name, as the settings say. Rejects with a `SettingError` if foreign ids are allowed and there may be
 * several callers.
 */
export async function openVendorIds(
  settings: Settings,
  stores: Stores,
  callers: Callers,
): Promise<VendorIds> {
  const { note, isOwn } = stores.vendorIds;
  if (settings.foreignVendorIds) {
    if (!isSingleCaller(settings, stores, callers)) {
      throw new SettingError(
        "TROUPE_FOREIGN_VENDOR_IDS would let each caller continue what others asked; it is for a server of a single caller",
      );
    }
    // They are recorded all the same, in case the setting is removed later.
    return { note, isOwn: async () => true };
  }
  const shared = new Set(settings.sharedVendorIds);
  return { note, isOwn: async (owner, id) => shared.has(id) || (await isOwn(owner, id)) };
}

function isSingleCaller(
  { apiKeys, adminKey }: Settings,
  { keysBefore }: Stores,
  { admission }: Callers,
): boolean {
  if (admission !== "keys") return admission === "shared";
  const given = keysBefore.filter(({ revokedAtMs }) => revokedAtMs === undefined);
  return adminKey === undefined && new Set([...apiKeys, ...given].map(({ owner }) => owner)).size === 1;
}
