import type { Clock } from "../../ports/clock.ts";
import { maxIdChars, type VendorIds, vendorIdRetentionMs } from "../../ports/vendor-ids.ts";

interface MemoryVendorIdOptions {
  readonly clock: Clock;
  /** Maximum number of ids; beyond it the oldest are dropped. Default 100,000. */
  readonly maxIds?: number;
  /**
   * Maximum per owner; beyond it that owner's oldest are dropped, so that one caller cannot make the others lose theirs. Default 10,000.
   */
  readonly maxPerOwner?: number;
}

interface Noted {
  readonly owner: string;
  readonly notedAtMs: number;
}

/** Vendor ids in memory, which are lost when the process ends. */
export function createMemoryVendorIds({
  clock,
  maxIds = 100_000,
  maxPerOwner = 10_000,
}: MemoryVendorIdOptions): VendorIds {
  /** Both in the order in which they were noted. */
  const noted = new Map<string, Noted>();
  const idsOf = new Map<string, Set<string>>();

  function drop(id: string): void {
    const owner = noted.get(id)?.owner;
    if (owner === undefined) return;
    noted.delete(id);
    const ids = idsOf.get(owner);
    ids?.delete(id);
    if (ids?.size === 0) idsOf.delete(owner);
  }

  function add(owner: string, id: string): void {
    drop(id);
    const ids = idsOf.get(owner) ?? new Set();
    const [oldest] = ids.size < maxPerOwner ? noted.keys() : ids;
    if (oldest !== undefined && (ids.size >= maxPerOwner || noted.size >= maxIds)) drop(oldest);
    noted.set(id, { owner, notedAtMs: clock.now() });
    idsOf.set(owner, ids.add(id));
  }

  return {
    async note(owner, ids) {
      for (const id of ids) if (id.length <= maxIdChars) add(owner, id);
    },
    async isOwn(owner, id) {
      const found = noted.get(id);
      return found?.owner === owner && clock.now() - found.notedAtMs < vendorIdRetentionMs;
    },
  };
}
