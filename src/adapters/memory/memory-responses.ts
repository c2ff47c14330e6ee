import type { Clock } from "../../ports/clock.ts";
import type { Item } from "../../ports/item.ts";
import { maxChain, maxResponseChars, type ResponseStore } from "../../ports/response-store.ts";

interface MemoryResponseOptions {
  readonly clock: Clock;
  /** How long a response is kept, milliseconds. */
  readonly retentionMs: number;
  /** Maximum memory of all responses; beyond it the oldest are dropped. Default 64 MiB. */
  readonly maxBytes?: number;
}

interface Kept {
  readonly owner: string;
  readonly previousId: string | undefined;
  /** JSON. */
  readonly items: string;
  readonly keptAtMs: number;
}

/** Memory of an entry beside its items (measured, rounded up). */
const entryBytes = 512;

/** Responses in memory, which are lost when the process ends. */
export function createMemoryResponses({
  clock,
  retentionMs,
  maxBytes = 64 * 1024 * 1024,
}: MemoryResponseOptions): ResponseStore {
  /** In the order in which they were kept. */
  const responses = new Map<string, Kept>();
  let bytes = 0;

  function drop(id: string): void {
    const kept = responses.get(id);
    if (kept === undefined) return;
    responses.delete(id);
    bytes -= bytesOf(kept);
  }

  function dropOldest(): void {
    for (const [id, { keptAtMs }] of responses) {
      if (bytes <= maxBytes && clock.now() - keptAtMs < retentionMs) return;
      drop(id);
    }
  }

  function find(owner: string, id: string): Kept | undefined {
    const kept = responses.get(id);
    return kept?.owner === owner && clock.now() - kept.keptAtMs < retentionMs ? kept : undefined;
  }

  return {
    async keep(owner, { id, previousId, items }) {
      const kept = { owner, previousId, items: JSON.stringify(items), keptAtMs: clock.now() };
      if (kept.items.length > maxResponseChars) return;
      drop(id);
      responses.set(id, kept);
      bytes += bytesOf(kept);
      dropOldest();
    },
    async context(owner, id, maxChars) {
      const taken: string[] = [];
      let chars = 0;
      for (let next: string | undefined = id; next !== undefined && taken.length < maxChain; ) {
        if (taken.length > 0 && chars >= maxChars) break;
        const kept = find(owner, next);
        if (kept === undefined) return undefined;
        chars += kept.items.length;
        if (taken.length > 0 && chars > maxChars) break;
        taken.push(kept.items);
        next = kept.previousId;
      }
      return taken.reverse().flatMap((items): Item[] => JSON.parse(items));
    },
  };
}

function bytesOf({ owner, items }: Kept): number {
  // A text with one wide character has two bytes for each.
  return entryBytes + 2 * (owner.length + items.length);
}
