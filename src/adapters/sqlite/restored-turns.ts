import type { KeptTurn, TurnLog } from "../../ports/turn-log.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import { recordOf, restoreLog } from "./turn-rows.ts";

/**
 * Limits for ended turns, as served times in milliseconds. A turn that ended by `foundAfterMs` is not found; one that ended by
 * `compactUntilMs` is compacted.
 */
export interface TurnAges {
  readonly foundAfterMs: number;
  readonly compactUntilMs: number;
}

/** Ended turns, restored from their rows. */
export interface RestoredTurns {
  find(owner: string, id: string, ages: TurnAges): Promise<KeptTurn | undefined>;
}

/**
 * Shares one log among all readers of an ended turn, and keeps it in memory as long as one of them holds it. A row may have many
 * megabytes, and a hundred clients that come back at the same moment may ask for the same one. A row that cannot be read is reported.
 */
export function createRestoredTurns(store: SqliteStore): RestoredTurns {
  const logs = new Map<string, WeakRef<TurnLog>>();
  const reading = new Map<string, Promise<TurnLog | undefined>>();
  const registry = new FinalizationRegistry<string>((key) => {
    if (logs.get(key)?.deref() === undefined) logs.delete(key);
  });

  async function restore(
    owner: string,
    key: string,
    number: number,
    compact: boolean,
  ): Promise<TurnLog | undefined> {
    try {
      const [row] = await store.of(owner).read("endedTurn", number);
      if (row === undefined) return undefined;
      const log = await restoreLog(row, compact, store.report);
      logs.set(key, new WeakRef(log));
      registry.register(log, key);
      return log;
    } finally {
      reading.delete(key);
    }
  }

  return {
    async find(owner, id, { foundAfterMs, compactUntilMs }) {
      const [row] = await store.of(owner).read("findTurn", owner, id, foundAfterMs);
      if (row === undefined) return undefined;
      const compact = Number(row.ended_at_ms) <= compactUntilMs;
      const number = Number(row.number);
      const key = `${number} ${compact ? "compacted" : "whole"}`;
      let log = logs.get(key)?.deref();
      if (log === undefined) {
        const read = reading.get(key) ?? restore(owner, key, number, compact);
        reading.set(key, read);
        log = await read;
      }
      return log === undefined ? undefined : { record: recordOf(row), log };
    },
  };
}
