import type { TurnQuestion } from "../../ports/conversation-store.ts";
import { encodeStored } from "../../ports/stored-turn.ts";
import { isEvent } from "../../ports/turn-event.ts";
import type { KeptTurn, TurnLogStore, TurnRecord, UnfinishedTurn } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { titleFrom } from "../database/conversation-rows.ts";
import { storageUnavailable } from "../database/outages.ts";
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
import { PostgresLog } from "./postgres-log.ts";
import type { PostgresStore } from "./postgres-store.ts";
import type { ServedTime } from "./served-time.ts";
import { claimTurns, findEnded, readEnded } from "./turn-rows.ts";

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

export interface PostgresTurnLogOptions extends MemoryTurnLogOptions {
  readonly store: PostgresStore;
  readonly served: ServedTime;
  /** How long an ended turn's answer is kept, milliseconds from its end; at least as long as the log. */
  readonly answerRetentionMs: number;
}

interface PostgresTurnLogs extends TurnLogStore, Pick<MemoryTurnLogs, "bytes" | "count"> {}

/**
 * Logs whose events are in the database before any follower sees them. Running and recently ended turns are followed in memory; older
 * turns are read from their rows. A turn settles its beginning with its commit, because only the database knows whether its id is free.
 */
export function createPostgresTurnLogs(options: PostgresTurnLogOptions): PostgresTurnLogs {
  const { store, clock, served, retentionMs, answerRetentionMs } = options;
  const memory = createRecentTurnLogs(options);
  const restored = createRestoredTurns({
    findEnded: (owner, id, ages) => findEnded(store, owner, id, ages),
    readEnded: (turn) => readEnded(store, turn),
  });
  /** The turns whose beginning is not committed yet, by owner and id. */
  const beginning = new Map<string, Promise<unknown>>();
  const keyOf = ({ owner, id }: Pick<TurnRecord, "owner" | "id">) => `${owner}\n${id}`;
  const forgottenMs = () => served.now() - Math.max(retentionMs, answerRetentionMs);

  async function find(owner: string, id: string): Promise<KeptTurn | undefined> {
    await beginning.get(keyOf({ owner, id }));
    const kept = await memory.find(owner, id);
    if (kept !== undefined) return kept;
    return restored.find(owner, id, {
      foundAfterMs: forgottenMs(),
      compactUntilMs: served.now() - retentionMs,
    });
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

  /** Commits the beginning of a turn whose log is in memory already. */
  async function begin(number: number, record: TurnRecord, how: Beginning): Promise<Outcome> {
    try {
      const outcome = await store.commit(await startOf(number, record, how), true);
      if (outcome === "refused") memory.drop(record);
      return outcome;
    } catch (fault) {
      memory.drop(record);
      throw fault;
    } finally {
      beginning.delete(keyOf(record));
    }
  }

  return {
    isLasting: true,
    get bytes() {
      return memory.bytes;
    },
    get count() {
      return memory.count;
    },
    async create(record, { request, isNew = false, question } = {}) {
      const { owner, id, afterSeq } = record;
      for (;;) {
        await beginning.get(keyOf(record));
        const kept = isNew ? undefined : await find(owner, id);
        const replaces = kept?.log.ended === true && kept.log.headSeq === afterSeq;
        if (kept !== undefined && !replaces) return { type: "exists", turn: kept };
        if (record.transient === true) return memory.create(record);
        if (store.fault !== undefined) throw storageUnavailable(store.fault);
        const number = await store.nextTurn();
        const make = (inner: MemoryTurnLog) => new PostgresLog({ store, served, number, inner });
        const adopted = memory.adopt(record, make);
        // Another request of the same name came first. Its beginning may still be refused.
        if (adopted.type === "exists" && beginning.has(keyOf(record))) continue;
        if (adopted.type !== "created") return adopted;
        const begun = begin(number, record, { request, question, replaces });
        beginning.set(
          keyOf(record),
          begun.catch(() => undefined),
        );
        if ((await begun) === "done") return adopted;
        const there = await find(owner, id);
        if (there !== undefined) return { type: "exists", turn: there };
        if ((await store.query(owner, statements.forgetExpired, [owner, id, forgottenMs()])).length > 0)
          continue;
        if (question === undefined) throw storageUnavailable(new Error("another process runs this turn"));
        return { type: "moved" };
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
      for (const { number, record, steps, request, part } of await claimTurns(store, store.report)) {
        const make = (inner: MemoryTurnLog) => new PostgresLog({ store, served, number, inner, part });
        const adopted = memory.adopt(record, make, { left: steps.filter(isEvent) });
        if (adopted.type === "created")
          unfinished.push({ record, log: adopted.log, steps, ...(request === undefined ? {} : { request }) });
      }
      return unfinished;
    },
  };
}

/** How a turn begins. `replaces`: it takes the place of an ended turn of the same id. */
interface Beginning {
  readonly request: ResumableRequest | undefined;
  readonly question: TurnQuestion | undefined;
  readonly replaces: boolean;
}
