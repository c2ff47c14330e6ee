import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { Clock } from "../../ports/clock.ts";
import { encodeStored, type JournalEntry } from "../../ports/stored-turn.ts";
import { isCheckpoint, isEvent, isUrgent, type TurnEvent, type TurnStep } from "../../ports/turn-event.ts";
import type {
  KeptTurn,
  TurnLog,
  TurnLogStore,
  TurnRecord,
  TurnStop,
  UnfinishedTurn,
} from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { storageUnavailable } from "../database/commits.ts";
import {
  createRestoredTurns,
  type EndedTurn,
  restoreLog,
  type TurnAges,
  toRecord,
} from "../database/restored-turns.ts";
import { type MemoryTurnLog, StoredLog } from "../turn-log/memory-turn-log.ts";
import {
  createRecentTurnLogs,
  type MemoryTurnLogOptions,
  type MemoryTurnLogs,
} from "../turn-log/memory-turn-logs.ts";
import { forgetOrphans, forgetTurns } from "./forget-turns.ts";
import { retireTurns } from "./retention.ts";
import { writesOfQuestion } from "./sqlite-conversations.ts";
import type { ServedTime, SqliteStore } from "./sqlite-store.ts";
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

/** A turn, its number, and `begun`, which settles when its row is committed. */
interface Begun {
  readonly number: number;
  readonly record: TurnRecord;
  readonly begun: Promise<void>;
}

interface DurableLogOptions extends Begun {
  readonly store: SqliteStore;
  /** The log in memory, which readers follow. */
  readonly inner: MemoryTurnLog;
  /** Ends the turn in the database as soon as the storage works; settles with the outcome and never rejects. */
  readonly end: (events: readonly TurnEvent[]) => Promise<"kept" | "failed">;
  /** Called if nothing of the turn was kept: the client may send it again under the same id. */
  readonly forget: () => void;
}

/** A log that commits events to the journal before its readers see them. */
class DurableLog extends StoredLog {
  readonly #options: DurableLogOptions;
  #row: "coming" | "there" | "failed" = "coming";

  constructor(options: DurableLogOptions) {
    super(options.inner);
    this.#options = options;
    const { begun, store, number } = options;
    begun.then(
      () => {
        this.#row = "there";
      },
      (fault: unknown) => {
        this.#row = "failed";
        store.release(number);
        // The turn's first events wait for its row and report the fault, but a turn may end without any.
        store.report(fault);
      },
    );
  }

  append(steps: readonly TurnStep[]): Promise<void> {
    if (this.ended) return this.inner.append(steps);
    return this.#journal(steps).then(
      () => this.#tell(steps),
      (fault: unknown) => {
        if (!steps.some(({ type }) => type === "failure")) throw fault;
        this.#options.store.report(fault);
        this.#loseEnd(steps, fault);
      },
    );
  }

  /** It follows the turn's row, because commits come in order. */
  async keepStop(stop: TurnStop): Promise<void> {
    if (this.ended) return;
    const { store, record, number } = this.#options;
    const write: Write = stop === null ? ["stopTurn", number] : ["stopPersona", number, stop];
    await store.of(record.owner).write([write], true).catch(store.report);
  }

  #tell(steps: readonly TurnStep[]): Promise<void> | undefined {
    this.inner.add(steps);
    return this.ended ? this.#end(this.inner.events()) : undefined;
  }

  /** The end's frame and the turn's row are made in two turns of the loop, because each takes up to 30 ms for a long answer. */
  async #end(events: readonly TurnEvent[]): Promise<void> {
    await nextLoopTurn();
    void this.#options.end(events);
  }

  /**
   * Tells the readers that the end was not kept, because they would wait for ever. It has no number: after a crash or a repeat, another
   * end may have that number.
   */
  #loseEnd(steps: readonly TurnStep[], fault: unknown): void {
    const { end, forget } = this.#options;
    this.inner.loseEnd(TroupeError.from(fault).asData());
    if (this.#row === "failed") {
      forget();
      return;
    }
    void end([...this.inner.events(), ...steps.filter(isEvent)]).then((outcome) => {
      if (outcome === "kept") this.inner.add(steps);
    });
  }

  #journal(steps: readonly TurnStep[]): Promise<unknown> {
    const { begun, store, number } = this.#options;
    if (this.#row === "failed") return begun;
    let urgent = false;
    let hasCheckpoints = false;
    for (const step of steps) {
      urgent ||= isUrgent(step);
      hasCheckpoints ||= step.type === "checkpoint";
    }
    // Leaving out an empty array of checkpoints saves room.
    const entry: JournalEntry = hasCheckpoints
      ? [number, this.headSeq + 1, steps.filter(isEvent), steps.filter(isCheckpoint)]
      : [number, this.headSeq + 1, steps as readonly TurnEvent[]];
    const written = store.journal(entry, urgent);
    // Commits come in order, so the turn's first events may be committed together with its row.
    return this.#row === "there" ? written : Promise.all([begun, written]);
  }
}
