import type { TurnQuestion } from "../../ports/conversation-store.ts";
import { encodeStored } from "../../ports/stored-turn.ts";
import { isEvent } from "../../ports/turn-event.ts";
import type { KeptTurn, TurnLog, TurnLogStore, TurnRecord, UnfinishedTurn } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { storageUnavailable } from "../database/commits.ts";
import { titleFrom } from "../database/conversation-rows.ts";
import { createRestoredTurns } from "../database/restored-turns.ts";
import type { MemoryTurnLog } from "../turn-log/memory-turn-log.ts";
import {
  createRecentTurnLogs,
  type MemoryTurnLogOptions,
  type MemoryTurnLogs,
} from "../turn-log/memory-turn-logs.ts";
import type { StartItem } from "./beat-item.ts";
import type { Outcome } from "./beat-queue.ts";
import { named } from "./connection.ts";
import { indexedRows } from "./message-rows.ts";
import type { NodeLogs, TurnNews } from "./nodes/node-peers.ts";
import { createOwnTurns } from "./nodes/own-turns.ts";
import { WatchList } from "./nodes/watch-list.ts";
import { PostgresLog, type StoredSteps } from "./postgres-log.ts";
import type { PostgresStore } from "./postgres-store.ts";
import type { ServedTime } from "./served-time.ts";
import { claimTurns, findTurn, type RunningRow, readAnswer, readEnded } from "./turn-rows.ts";

const statements = named({
  forgetTurns: `WITH due AS (
      SELECT number FROM turns WHERE owner = $1 AND conversation_id = $2 AND ended_ms IS NOT NULL LIMIT 1000 FOR UPDATE),
    gone AS (DELETE FROM events WHERE turn IN (SELECT number FROM due))
    DELETE FROM turns WHERE number IN (SELECT number FROM due) RETURNING 1`,
  // A turn whose time is over must not keep its id from another.
  forgetExpired: `WITH due AS (SELECT number FROM turns WHERE owner = $1 AND id = $2 AND ended_ms <= $3 FOR UPDATE),
    gone AS (DELETE FROM events WHERE turn IN (SELECT number FROM due))
    DELETE FROM turns WHERE number IN (SELECT number FROM due) RETURNING 1`,
});

/** Attempts to begin a turn whose id is taken and freed again. */
const maxBeginnings = 5;

export interface PostgresTurnLogOptions extends MemoryTurnLogOptions {
  readonly store: PostgresStore;
  readonly served: ServedTime;
  /** How long an ended turn's answer is kept, milliseconds from its end; at least as long as the log. */
  readonly answerRetentionMs: number;
}

interface PostgresTurnLogs extends TurnLogStore, NodeLogs, Pick<MemoryTurnLogs, "bytes" | "count"> {
  /** The news of these logs for other nodes. */
  readonly told: TurnNews;
}

/**
 * Logs whose events are in the database before any follower sees them. Turns that run here or ended here a short while ago are followed in memory; all
 * others are read from their rows. A turn settles its beginning with its commit, because only the database knows whether its id is free.
 */
export function createPostgresTurnLogs(options: PostgresTurnLogOptions): PostgresTurnLogs {
  const { store, clock, served, retentionMs, answerRetentionMs } = options;
  const memory = createRecentTurnLogs(options);
  const restored = createRestoredTurns((turn) => readEnded(store, turn));
  const nothing = () => undefined;
  const told: TurnNews = { onHead: nothing, onFollowed: nothing, onLeft: nothing };
  const watched = new WatchList({
    ...{ store, clock },
    readEnded: (number) => readAnswer(store, number),
    onChange: (turn, isFollowed) => told.onFollowed(turn, isFollowed),
  });
  const own = createOwnTurns();
  /** The turns whose beginning is not committed yet, by owner and id. */
  const beginning = new Map<string, Promise<unknown>>();
  const keyOf = ({ owner, id }: Pick<TurnRecord, "owner" | "id">) => `${owner}\n${id}`;
  const forgottenMs = () => served.now() - Math.max(retentionMs, answerRetentionMs);

  async function find(owner: string, id: string): Promise<KeptTurn | undefined> {
    await beginning.get(keyOf({ owner, id }));
    const kept = await memory.find(owner, id);
    if (kept !== undefined && !mayRunAgain(kept.log)) return kept;
    const ages = { foundAfterMs: forgottenMs(), compactUntilMs: served.now() - retentionMs };
    const row = await findTurn(store, owner, id, ages);
    if (kept?.log instanceof PostgresLog && kept.log.number === row?.number) return kept;
    if (kept !== undefined) memory.drop(kept.record);
    return row?.type === "ended" ? restored.restore(row) : row && runningElsewhere(row);
  }

  /** A turn that runs at another node, or that one has left. */
  function runningElsewhere({ number, record, headSeq }: RunningRow): KeptTurn {
    return {
      record,
      log: {
        ...{ headSeq, ended: false, isFull: false, unkept: undefined },
        append: () => Promise.reject(new Error("A turn is written to only where it runs.")),
        open: (after, wake) => watched.open(number, after, wake),
        leave: () => undefined,
      },
    };
  }

  async function startOf(
    number: number,
    record: TurnRecord,
    { request, question, replaces }: Beginning,
  ): Promise<StartItem> {
    const { owner, id, contentHash, conversationId = null, afterSeq = 0 } = record;
    const atMs = clock.wallTimeMs();
    const turn = { number, owner, id, contentHash, conversationId, atMs, afterSeq, replaces };
    return {
      kind: "start",
      turn: { ...turn, request: request === undefined ? null : encodeStored(request) },
      ...(question === undefined ? {} : { question: await questionOf(record, question) }),
    };
  }

  async function questionOf(
    { owner, id: requestId }: TurnRecord,
    { under, ...content }: TurnQuestion,
  ): Promise<NonNullable<StartItem["question"]>> {
    const asked = { ...content, role: "user", status: "completed", requestId } as const;
    const place = { parentId: under?.messageId, pathChars: under?.pathChars ?? 0 };
    const [message] = await indexedRows(owner, place, [asked], clock);
    if (message === undefined) throw new Error("One message makes one row.");
    const title = titleFrom([asked]);
    return under === undefined
      ? { message, title }
      : { message, title, under: { headId: under.messageId ?? null } };
  }

  function drop(number: number, record: TurnRecord): void {
    memory.drop(record);
    own.end(number);
  }

  /** Makes the log of a turn that runs here. */
  function logOf(number: number, { owner }: TurnRecord, inner: MemoryTurnLog, part?: number): PostgresLog {
    const onHead = (head: number, row: StoredSteps) => told.onHead(number, head, row);
    const onOver = () => {
      own.end(number);
      if (!inner.ended) told.onLeft();
    };
    return new PostgresLog({
      store,
      served,
      owner,
      number,
      inner,
      onHead,
      onOver,
      ...(part === undefined ? {} : { part }),
    });
  }

  /** Commits the beginning of a turn whose log is in memory already. */
  async function begin(number: number, record: TurnRecord, how: Beginning): Promise<Outcome> {
    try {
      const outcome = await store.commit(await startOf(number, record, how), true);
      if (outcome === "refused") drop(number, record);
      return outcome;
    } catch (fault) {
      drop(number, record);
      throw fault;
    } finally {
      beginning.delete(keyOf(record));
    }
  }

  return {
    isLasting: true,
    ...{ told, runningElsewhere, ownTurn: own.find },
    noteHead: (turn, head) => watched.noteHead(turn, head),
    noteRow: (row) => watched.noteRow(row),
    ownNumber({ owner, id }) {
      const log = memory.peek(owner, id)?.log;
      return log instanceof PostgresLog ? log.number : undefined;
    },
    get followed() {
      return watched.turns;
    },
    get bytes() {
      return memory.bytes;
    },
    get count() {
      return memory.count;
    },
    async create(record, { asked, request = asked, isNew = false, question } = {}) {
      const { owner, id, afterSeq } = record;
      for (let tries = 1; ; tries += 1) {
        await beginning.get(keyOf(record));
        const kept = isNew ? undefined : await find(owner, id);
        const replaces = kept?.log.ended === true && kept.log.headSeq === afterSeq;
        if (kept !== undefined && !replaces) return { type: "exists", turn: kept };
        if (record.transient === true) return memory.create(record);
        if (store.fault !== undefined) throw storageUnavailable(store.fault);
        const number = await store.nextTurn();
        const adopted = memory.adopt(record, (inner) => logOf(number, record, inner));
        // Another request of the same name came first. Its beginning may still be refused.
        if (adopted.type === "exists" && beginning.has(keyOf(record))) continue;
        if (adopted.type !== "created") return adopted;
        own.add(number, record);
        const begun = begin(number, record, { request, question, replaces });
        beginning.set(
          keyOf(record),
          begun.catch(() => undefined),
        );
        if ((await begun) === "done") return adopted;
        const there = await find(owner, id);
        if (there !== undefined) return { type: "exists", turn: there };
        const forgotten = await store.query(owner, statements.forgetExpired, [owner, id, forgottenMs()]);
        if (forgotten.length > 0) continue;
        if (question !== undefined) return { type: "moved" };
        // Only its id can have been taken, and it is free now: the answer to its freeing was lost, or another node has freed it.
        if (tries >= maxBeginnings)
          throw storageUnavailable(new Error("the turn's id is taken and freed again and again"));
      }
    },
    find,
    async forget(owner, conversationId) {
      await memory.forget(owner, conversationId);
      for (let count = 1_000; count === 1_000; )
        count = (await store.query(owner, statements.forgetTurns, [owner, conversationId])).length;
    },
    async unfinished() {
      const unfinished: UnfinishedTurn[] = [];
      const claimed = await claimTurns({ store, own, onFault: store.report });
      for (const { number, record, steps, request, part, stops } of claimed) {
        // An earlier attempt, which ended here before the turn ran at another node.
        memory.drop(record);
        const make = (inner: MemoryTurnLog) => logOf(number, record, inner, part);
        const adopted = memory.adopt(record, make, { left: steps.filter(isEvent) });
        if (adopted.type === "created") unfinished.push({ record, log: adopted.log, steps, request, stops });
      }
      return unfinished;
    },
  };
}

/** Whether the turn ended with an error after which it may run again, perhaps at another node. */
function mayRunAgain(log: TurnLog): boolean {
  if (!log.ended) return false;
  const reader = log.open(log.headSeq - 1, () => undefined);
  const batch = reader.take();
  reader.close();
  const last = batch?.type === "events" ? batch.events.at(-1)?.event : undefined;
  return last?.type === "failure" && last.error.retryable;
}

/** How a turn begins. `replaces`: it takes the place of an ended turn of the same id. */
interface Beginning {
  readonly request: ResumableRequest | undefined;
  readonly question: TurnQuestion | undefined;
  readonly replaces: boolean;
}
