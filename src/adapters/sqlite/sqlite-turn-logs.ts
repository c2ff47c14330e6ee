import type { Clock } from "../../ports/clock.ts";
import { encodeStored } from "../../ports/stored-turn.ts";
import { isEvent, type TurnEvent } from "../../ports/turn-event.ts";
import type { KeptTurn, TurnLog, TurnLogStore, TurnRecord, UnfinishedTurn } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { storageUnavailable } from "../database/outages.ts";
import {
  createRestoredTurns,
  type EndedTurn,
  restoreLog,
  type TurnAges,
  toRecord,
} from "../database/restored-turns.ts";
import type { MemoryTurnLog } from "../turn-log/memory-turn-log.ts";
import {
  createRecentTurnLogs,
  type MemoryTurnLogOptions,
  type MemoryTurnLogs,
} from "../turn-log/memory-turn-logs.ts";
import { type Begun, DurableLog } from "./durable-log.ts";
import { forgetOrphans, forgetTurns } from "./forget-turns.ts";
import { writesOfQuestion } from "./message-writes.ts";
import { retireTurns, type ServedTime } from "./retention.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";
import { readEnded, readRunning } from "./turn-rows.ts";

export interface SqliteTurnLogOptions extends MemoryTurnLogOptions {
  readonly store: SqliteStore;
  readonly clock: Clock;
  readonly served: ServedTime;
  /** How long an ended turn's answer is kept, milliseconds from its end; at least as long as the log. */
  readonly answerRetentionMs: number;
}

interface SqliteTurnLogs extends TurnLogStore, Pick<MemoryTurnLogs, "bytes" | "count">, Disposable {}

/**
 * Logs whose events are in the database before any follower sees them. Running and recently ended turns are followed in memory; older
 * turns are read from their rows. When a log's time is over, only the answer is kept, until its own time is over. Dispose the logs before
 * the store.
 */
export async function createSqliteTurnLogs(options: SqliteTurnLogOptions): Promise<SqliteTurnLogs> {
  const { store, clock, served, retentionMs, answerRetentionMs } = options;
  const memory = createRecentTurnLogs(options);
  let lastNumber = Number((await store.read("counter", "last_turn"))[0]?.value ?? 0);
  const restored = createRestoredTurns((turn) => readLog(store, turn));
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
    const turn = await findEnded(store, owner, id, {
      foundAfterMs: nowMs - Math.max(retentionMs, answerRetentionMs),
      compactUntilMs: nowMs - retentionMs,
    });
    return turn === undefined ? undefined : restored.restore(turn);
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
      for (const { number, record, steps, request, stops } of await readRunning(store, store.report)) {
        const events = steps.filter(isEvent);
        store.retain(number);
        const begun = { number, record, begun: Promise.resolve() };
        const adopted = memory.adopt(record, (inner) => durable(begun, inner), { left: events });
        if (adopted.type !== "created") continue;
        if (adopted.log.ended) void end({ number, record }, events);
        else unfinished.push({ record, log: adopted.log, steps, request, stops });
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

async function findEnded(
  store: SqliteStore,
  owner: string,
  id: string,
  { foundAfterMs, compactUntilMs }: TurnAges,
): Promise<EndedTurn | undefined> {
  const [row] = await store.of(owner).read("findTurn", owner, id, foundAfterMs);
  if (row === undefined) return undefined;
  return {
    number: Number(row.number),
    record: toRecord(row),
    isCompact: Number(row.ended_at_ms) <= compactUntilMs,
  };
}

/** Reads the log of an ended turn; see `restoreLog`. */
async function readLog(store: SqliteStore, turn: EndedTurn): Promise<TurnLog | undefined> {
  const [row] = await store.of(turn.record.owner).read("endedTurn", turn.number);
  return row === undefined ? undefined : restoreLog(turn, () => readEnded(row, turn.isCompact), store.report);
}
