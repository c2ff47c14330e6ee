import type { KeptTurn, TurnLog } from "../../ports/turn-log.ts";
import type { PostgresStore } from "./postgres-store.ts";
import { type EndedTurn, findEnded, readEnded, type TurnAges } from "./turn-rows.ts";

/** Ended turns, restored from their rows. */
export interface RestoredTurns {
  find(owner: string, id: string, ages: TurnAges): Promise<KeptTurn | undefined>;
}

/**
 * Shares one log among all readers of an ended turn, and keeps it in memory as long as one of them holds it. A log may have many
 * megabytes, and a hundred clients that come back at the same moment may ask for the same one.
 */
export function createRestoredTurns(store: PostgresStore): RestoredTurns {
  const logs = new Map<string, WeakRef<TurnLog>>();
  const reading = new Map<string, Promise<TurnLog | undefined>>();
  const registry = new FinalizationRegistry<string>((key) => {
    if (logs.get(key)?.deref() === undefined) logs.delete(key);
  });

  async function restore(key: string, turn: EndedTurn): Promise<TurnLog | undefined> {
    try {
      const log = await readEnded(store, turn);
      if (log === undefined) return undefined;
      logs.set(key, new WeakRef(log));
      registry.register(log, key);
      return log;
    } finally {
      reading.delete(key);
    }
  }

  return {
    async find(owner, id, ages) {
      const turn = await findEnded(store, owner, id, ages);
      if (turn === undefined) return undefined;
      const key = `${turn.number} ${turn.isCompact ? "compacted" : "whole"}`;
      let log = logs.get(key)?.deref();
      if (log === undefined) {
        const read = reading.get(key) ?? restore(key, turn);
        reading.set(key, read);
        log = await read;
      }
      return log === undefined ? undefined : { record: turn.record, log };
    },
  };
}
