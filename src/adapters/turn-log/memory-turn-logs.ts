import type { Clock } from "../../ports/clock.ts";
import type { TurnQuestion } from "../../ports/conversation-store.ts";
import type { TurnEvent } from "../../ports/turn-event.ts";
import type { KeptTurn, TurnLog, TurnLogStore, TurnRecord } from "../../ports/turn-log.ts";
import { MemoryTurnLog } from "./memory-turn-log.ts";

/** Conversations into which the questions of turns are stored. */
export interface QuestionStore {
  /**
   * Returns the function that stores the question; it must be called at once. Returns `undefined` if the conversation is gone, or if its
   * head has moved since it was found.
   */
  placeQuestion(record: TurnRecord, question: TurnQuestion): (() => void) | undefined;
}

export interface MemoryTurnLogOptions {
  readonly clock: Clock;
  /** How long a log is kept after its terminal event, milliseconds. */
  readonly retentionMs: number;
  /** Maximum bytes of all logs together, estimated. */
  readonly maxBytes: number;
  /** Maximum bytes of ended logs that are also kept elsewhere: beyond it the oldest are dropped as a whole. Default: they are only here. */
  readonly maxEndedBytes?: number;
  /** The conversations of the turns that are made here with `create`. Default: these turns bring no questions. */
  readonly questions?: QuestionStore;
}

interface Entry extends KeptTurn {
  readonly memory: MemoryTurnLog;
  endedAtMs?: number;
}

export interface MemoryTurnLogs extends TurnLogStore {
  /** Estimated bytes of all logs. */
  readonly bytes: number;
  readonly count: number;
  /**
   * Like `create`, but synchronous. `make` wraps the log in memory. `left`: the events of a turn that another process left. It is about to
   * end, so the answer is never `full`.
   */
  adopt(
    record: TurnRecord,
    make: (inner: MemoryTurnLog) => TurnLog,
    options?: { readonly left?: readonly TurnEvent[] },
  ): Awaited<ReturnType<TurnLogStore["create"]>>;
  /** Like `find`, but synchronous. */
  peek(owner: string, id: string): KeptTurn | undefined;
  /** Forgets a turn at once; its readers read on. */
  drop(record: TurnRecord): void;
}

/**
 * Logs in memory. When memory is short, the events of ended turns are dropped first, oldest first (their text stays), then whole ended
 * turns. When only running turns are left, `create` answers `full`, and logs larger than an even share are full.
 */
export function createMemoryTurnLogs({
  clock,
  retentionMs,
  maxBytes,
  maxEndedBytes,
  questions,
}: MemoryTurnLogOptions): MemoryTurnLogs {
  const entries = new Map<string, Entry>();
  /** Ended turns in the order in which they ended. */
  const ended = new Set<string>();
  const keyOf = (owner: string, id: string) => `${owner}\n${id}`;

  let bytes = 0;
  let endedBytes = 0;

  function drop(key: string): void {
    const size = entries.get(key)?.memory.bytes ?? 0;
    bytes -= size;
    entries.delete(key);
    if (ended.delete(key)) endedBytes -= size;
  }

  function trim(key: string): void {
    const memory = entries.get(key)?.memory;
    const before = memory?.bytes ?? 0;
    memory?.trim();
    endedBytes += (memory?.bytes ?? 0) - before;
  }

  function noteEnd(key: string, entry: Entry): void {
    entry.endedAtMs = clock.now();
    ended.add(key);
    endedBytes += entry.memory.bytes;
    if (maxEndedBytes === undefined) return;
    for (const oldest of ended) {
      if (endedBytes <= maxEndedBytes) return;
      drop(oldest);
    }
  }

  function sweep(): void {
    const dropBeforeMs = clock.now() - retentionMs;
    for (const key of ended) {
      if ((entries.get(key)?.endedAtMs ?? 0) > dropBeforeMs) break;
      drop(key);
    }
  }

  /** Frees memory down to nine tenths of the maximum, so that not every new turn has to. Returns whether there is room. */
  function makeRoom(): boolean {
    if (bytes <= maxBytes) return true;
    for (const release of maxEndedBytes === undefined ? [trim, drop] : [drop]) {
      for (const key of ended) {
        if (bytes <= maxBytes * 0.9) return true;
        release(key);
      }
    }
    return bytes <= maxBytes;
  }

  /**
   * Whether a running log of this size may not grow: all logs together exceed the memory, and this one exceeds an even share of it. A
   * small log goes on regardless of the others.
   */
  function isFull(size: number): boolean {
    if (bytes <= maxBytes || size <= maxBytes / Math.max(1, entries.size - ended.size)) return false;
    return !makeRoom();
  }

  return {
    isLasting: false,
    get bytes() {
      return bytes;
    },
    get count() {
      return entries.size;
    },
    async create(record, { question } = {}) {
      const store = question === undefined ? () => undefined : questions?.placeQuestion(record, question);
      if (store === undefined) return { type: "moved" };
      const created = this.adopt(record, (inner) => inner);
      if (created.type === "created") store();
      return created;
    },
    adopt(record, make, { left } = {}) {
      sweep();
      const key = keyOf(record.owner, record.id);
      const existing = entries.get(key);
      const { afterSeq = 0 } = record;
      const isRepeated = existing?.log.ended === true && existing.log.headSeq === afterSeq;
      if (existing !== undefined && !isRepeated) return { type: "exists", turn: existing };
      if (!makeRoom() && left === undefined) return { type: "full" };
      if (isRepeated) drop(key);
      const memory = new MemoryTurnLog({
        isFull,
        from: { throughSeq: afterSeq, lanes: [] },
        onBytes: (change) => {
          bytes += change;
        },
        onEnd: () => {
          // A turn that was dropped while it ran is no longer counted.
          if (entries.get(key) === entry) noteEnd(key, entry);
        },
      });
      const entry: Entry = { record, log: make(memory), memory };
      entries.set(key, entry);
      if (left !== undefined) memory.add(left);
      return { type: "created", log: entry.log };
    },
    drop: ({ owner, id }) => drop(keyOf(owner, id)),
    peek(owner, id) {
      sweep();
      return entries.get(keyOf(owner, id));
    },
    async find(owner, id) {
      return this.peek(owner, id);
    },
    async forget(owner, conversationId) {
      for (const key of ended) {
        const record = entries.get(key)?.record;
        if (record?.owner === owner && record.conversationId === conversationId) drop(key);
      }
    },
    unfinished: async () => [],
  };
}

/** How long an ended turn is followed in memory before it is read from the database. A client that was cut off is back by then. */
const inMemoryMs = 60_000;

/** Ended turns may use one eighth of the memory for logs, because they can be read from the database as well. */
const endedShare = 8;

/** Logs in memory of running and recently ended turns, which a database keeps as well. */
export function createRecentTurnLogs(options: MemoryTurnLogOptions): MemoryTurnLogs {
  const { retentionMs, maxBytes } = options;
  return createMemoryTurnLogs({
    ...options,
    retentionMs: Math.min(retentionMs, inMemoryMs),
    maxEndedBytes: maxBytes / endedShare,
  });
}
