import type { Clock } from "../../ports/clock.ts";
import { encodeStored } from "../../ports/stored-turn.ts";
import { isEvent, type TurnEvent } from "../../ports/turn-event.ts";
import type { KeptTurn, TurnLog, TurnLogStore, TurnRecord, UnfinishedTurn } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import type { MemoryTurnLog } from "../turn-log/memory-turn-log.ts";
import {
  createMemoryTurnLogs,
  type MemoryTurnLogOptions,
  type MemoryTurnLogs,
} from "../turn-log/memory-turn-logs.ts";
import { type Begun, DurableLog } from "./durable-log.ts";
import { forgetOrphans, forgetTurns } from "./forget-turns.ts";
import { writesOfQuestion } from "./message-writes.ts";
import { retireTurns, type ServedTime } from "./retention.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";
import { storageUnavailable } from "./store-health.ts";
import { readRunning, recordOf, restoreLog } from "./turn-rows.ts";

export interface SqliteTurnLogOptions extends MemoryTurnLogOptions {
  readonly store: SqliteStore;
  readonly clock: Clock;
  readonly served: ServedTime;
  /** How long an ended turn's answer is kept, milliseconds from its end; at least as long as the log. */
  readonly answerRetentionMs: number;
}

/** How long an ended turn is followed in memory before it is read from the database. A client that was cut off is back by then. */
const inMemoryMs = 60_000;

/** Ended turns may use one eighth of the memory for logs, because they can be read from the database as well. */
const endedShare = 8;

interface SqliteTurnLogs extends TurnLogStore, Pick<MemoryTurnLogs, "bytes" | "count">, Disposable {}

/**
 * Logs whose events are in the database before any follower sees them. Running and recently ended turns are followed in memory; older
 * turns are read from their rows. When a log's time is over, only the answer is kept, until its own time is over. Dispose the logs before
 * the store.
 */
export async function createSqliteTurnLogs(options: SqliteTurnLogOptions): Promise<SqliteTurnLogs> {
  const { store, clock, served, retentionMs, answerRetentionMs } = options;
  const memory = createMemoryTurnLogs({
    ...options,
    retentionMs: Math.min(retentionMs, inMemoryMs),
    maxEndedBytes: options.maxBytes / endedShare,
  });
  let lastNumber = Number((await store.read("counter", "last_turn"))[0]?.value ?? 0);
  const restored = createRestoredTurns(store);
  const retirement = retireTurns({ store, clock, served, retentionMs, answerRetentionMs });

  /** Ends the turn in the database: its row takes over from the journal. */
  function end(
    { number, record: { owner } }: Pick<Begun, "number" | "record">,
    events: readonly TurnEvent[],
  ): Promise<"kept" | "failed"> {
    return store
      .of(owner)
      .writeInTheEnd([["endTurn", served.now(), encodeStored(events), number], served.keep()])
      .then(
        () => {
          store.release(number);
          return "kept";
        },
        (fault: unknown) => {
          store.report(fault);
          return "failed";
        },
      );
  }

  function durable(begun: Begun, inner: MemoryTurnLog): TurnLog {
    return new DurableLog({
      ...{ ...begun, store, inner },
      end: (events) => end(begun, events),
      forget: () => memory.drop(begun.record),
    });
  }

  /** Stores the turn's row, together with its question. */
  function begin(
    record: TurnRecord,
    request: ResumableRequest | undefined,
    question: readonly Write[],
  ): Begun {
    lastNumber += 1;
    const { owner, id, contentHash, conversationId = null, afterSeq = 0 } = record;
    const row = [
      "beginTurn",
      lastNumber,
      owner,
      id,
      contentHash,
      conversationId,
      clock.wallTimeMs(),
      afterSeq,
      request === undefined ? null : encodeStored(request),
    ] as const;
    const before: readonly Write[] = afterSeq === 0 ? [] : [["replaceTurn", served.now(), owner, id]];
    const begun = store.of(owner).write([...question, ...before, row], true, lastNumber);
    return { number: lastNumber, record, begun };
  }

  async function find(owner: string, id: string): Promise<KeptTurn | undefined> {
    const kept = await memory.find(owner, id);
    if (kept !== undefined) return kept;
    const nowMs = served.now();
    return restored.find(owner, id, {
      foundAfterMs: nowMs - Math.max(retentionMs, answerRetentionMs),
      compactUntilMs: nowMs - retentionMs,
    });
  }

  let orphans: Disposable | undefined;

  const logs: Omit<SqliteTurnLogs, typeof Symbol.dispose> = {
    isLasting: true,
    get bytes() {
      return memory.bytes;
    },
    get count() {
      return memory.count;
    },
    async create(record, { request, isNew = false, question } = {}) {
      const kept = isNew ? undefined : await find(record.owner, record.id);
      const isRepeated = kept?.log.ended === true && kept.log.headSeq === record.afterSeq;
      if (kept !== undefined && !isRepeated) return { type: "exists", turn: kept };
      if (record.transient === true) return memory.create(record);
      if (store.fault !== undefined) throw storageUnavailable(store.fault);
      const asked =
        question === undefined
          ? []
          : writesOfQuestion(record, question, { clock, headMoves: store.headMoves });
      if (asked === undefined) return { type: "moved" };
      return memory.adopt(record, (inner) => durable(begin(record, request, asked), inner));
    },
    find,
    async forget(owner, conversationId) {
      await memory.forget(owner, conversationId);
      await forgetTurns(store.of(owner), owner, conversationId);
    },
    async unfinished() {
      const unfinished: UnfinishedTurn[] = [];
      for (const { number, record, steps, request } of await readRunning(store, store.report)) {
        const events = steps.filter(isEvent);
        let remembered: MemoryTurnLog | undefined;
        store.retain(number);
        const make = (inner: MemoryTurnLog) => {
          remembered = inner;
          return durable({ number, record, begun: Promise.resolve() }, inner);
        };
        // `mayExceed`: these turns are about to end.
        const adopted = memory.adopt(record, make, { mayExceed: true });
        remembered?.add(events);
        if (adopted.type !== "created") continue;
        if (adopted.log.ended) void end({ number, record }, events);
        else
          unfinished.push({ record, log: adopted.log, steps, ...(request === undefined ? {} : { request }) });
      }
      // After the ends that were just written.
      orphans ??= forgetOrphans({ store, logs });
      return unfinished;
    },
  };
  return Object.assign(logs, {
    [Symbol.dispose]() {
      orphans?.[Symbol.dispose]();
      retirement[Symbol.dispose]();
    },
  });
}

/**
 * Limits for ended turns, as served times in milliseconds. A turn that ended by `foundAfterMs` is not found; one that ended by
 * `compactUntilMs` is compacted.
 */
interface TurnAges {
  readonly foundAfterMs: number;
  readonly compactUntilMs: number;
}

/** Ended turns, restored from their rows. */
interface RestoredTurns {
  find(owner: string, id: string, ages: TurnAges): Promise<KeptTurn | undefined>;
}

/**
 * Shares one log among all readers of an ended turn, and keeps it in memory as long as one of them holds it. A row may have many
 * megabytes, and a hundred clients that come back at the same moment may ask for the same one. A row that cannot be read is reported.
 */
function createRestoredTurns(store: SqliteStore): RestoredTurns {
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
