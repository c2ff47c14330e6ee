import type { Callers } from "../adapters/http/callers.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";
import type { Stores } from "./open-stores.ts";
import { SettingError, type Settings } from "./settings.ts";

/**
 * Which ids of a vendor callers may name, as the settings say. Rejects with a `SettingError` if foreign ones are allowed and there may be
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
    // Noted all the same, so that they are known when the setting is taken back.
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
