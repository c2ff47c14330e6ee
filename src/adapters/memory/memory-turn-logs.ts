import type { Clock } from "../../ports/clock.ts";
import type { KeptTurn, TurnLogStore, TurnRecord } from "../../ports/turn-log.ts";
import { createMemoryTurnLog, type MemoryTurnLog } from "./memory-turn-log.ts";

export interface MemoryTurnLogOptions {
  readonly clock: Clock;
  /** How long a log is kept after its terminal event, milliseconds. */
  readonly retentionMs: number;
  /** Most bytes of all logs together, estimated. */
  readonly mostBytes: number;
}

interface Entry extends KeptTurn {
  readonly memory: MemoryTurnLog;
  endedAtMs?: number;
}

/**
 * Logs in memory. When space is short the events of ended turns go first, oldest first (their text stays), then ended turns as a
 * whole; when only running turns are left, `create` answers `full`.
 */
export function createMemoryTurnLogs({
  clock,
  retentionMs,
  mostBytes,
}: MemoryTurnLogOptions): TurnLogStore & {
  /** Estimated bytes of all logs. */
  readonly bytes: number;
  readonly count: number;
} {
  const entries = new Map<string, Entry>();
  /** Ended turns in the order in which they ended. */
  const ended = new Set<string>();
  const keyOf = (owner: string, id: string) => `${owner}\n${id}`;

  let bytes = 0;

  function drop(key: string): void {
    bytes -= entries.get(key)?.memory.bytes ?? 0;
    entries.delete(key);
    ended.delete(key);
  }

  function sweep(): void {
    const dropBeforeMs = clock.now() - retentionMs;
    for (const key of ended) {
      if ((entries.get(key)?.endedAtMs ?? 0) > dropBeforeMs) break;
      drop(key);
    }
  }

  /** Frees down to nine tenths at a time, so that not every new turn has to. */
  function makeRoom(): boolean {
    if (bytes <= mostBytes) return true;
    for (const release of [(key: string) => entries.get(key)?.memory.trim(), drop]) {
      for (const key of ended) {
        if (bytes <= mostBytes * 0.9) return true;
        release(key);
      }
    }
    return bytes <= mostBytes;
  }

  return {
    get bytes() {
      return bytes;
    },
    get count() {
      return entries.size;
    },
    async create(record: TurnRecord) {
      sweep();
      const key = keyOf(record.owner, record.id);
      const existing = entries.get(key);
      if (existing !== undefined) return { type: "exists", turn: existing };
      if (!makeRoom()) return { type: "full" };
      const memory = createMemoryTurnLog({
        onBytes: (change) => {
          bytes += change;
        },
        onEnd: () => {
          entry.endedAtMs = clock.now();
          ended.add(key);
        },
      });
      const entry: Entry = { record, log: memory.log, memory };
      entries.set(key, entry);
      return { type: "created", log: memory.log };
    },
    async find(owner, id) {
      sweep();
      return entries.get(keyOf(owner, id));
    },
  };
}
