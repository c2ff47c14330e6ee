import type { Clock } from "../../ports/clock.ts";
import { isTerminal, type TurnEvent } from "../../ports/turn-event.ts";
import type { KeptTurn, TurnLog, TurnLogStore, TurnRecord, UnfinishedTurn } from "../../ports/turn-log.ts";
import { createMemoryTurnLog } from "../memory/memory-turn-log.ts";
import {
  createMemoryTurnLogs,
  type MemoryTurnLogOptions,
  type MemoryTurnLogs,
} from "../memory/memory-turn-logs.ts";
import { parseEvents } from "./event-codec.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Row } from "./statements.ts";

export interface SqliteTurnLogOptions extends MemoryTurnLogOptions {
  readonly store: SqliteStore;
  readonly clock: Clock;
  /** Hears of writes that nobody waits for and that failed. */
  readonly onFault: (fault: unknown) => void;
}

/** A turn's number, and the writing of its row. */
interface Begun {
  readonly number: number;
  readonly begun: Promise<void>;
}

/** How long an ended turn is followed in memory before it is read from the database, at most. */
const inMemoryMs = 15 * 60_000;

/**
 * Logs whose events are in the database before any follower sees them. What runs and what ended a short while ago is followed in
 * memory; older turns are read from their row.
 */
export async function createSqliteTurnLogs(
  options: SqliteTurnLogOptions,
): Promise<TurnLogStore & Pick<MemoryTurnLogs, "bytes" | "count">> {
  const { store, clock, retentionMs, onFault } = options;
  const memory = createMemoryTurnLogs({
    ...options,
    retentionMs: Math.min(retentionMs, inMemoryMs),
    keptElsewhere: true,
  });
  let lastNumber = Number((await store.read("lastTurn"))[0]?.last ?? 0);

  /** Ends the turn in the database: its row takes over from the journal. */
  function end(number: number, events: readonly TurnEvent[]): void {
    store
      .write([["endTurn", clock.wallTimeMs(), JSON.stringify(events), number]], false)
      .then(() => store.release(number), onFault);
  }

  function durable({ number, begun }: Begun, inner: TurnLog, kept: TurnEvent[]): TurnLog {
    return {
      get headSeq() {
        return inner.headSeq;
      },
      get ended() {
        return inner.ended;
      },
      follow: inner.follow,
      async append(events) {
        if (inner.ended) return inner.append(events);
        try {
          await begun;
          await store.journal(number, inner.headSeq + 1, events, events.some(isUrgent));
        } catch (fault) {
          // A failure that cannot be kept is told all the same: those who follow would wait for ever.
          if (!events.some(({ type }) => type === "failure")) throw fault;
          onFault(fault);
        }
        await inner.append(events);
        kept.push(...events);
        if (inner.ended) end(number, kept);
      },
    };
  }

  function begin(record: TurnRecord): Begun {
    lastNumber += 1;
    const { owner, id, contentHash, conversationId = null } = record;
    const nowMs = clock.wallTimeMs();
    const row = ["beginTurn", lastNumber, owner, id, contentHash, conversationId, nowMs] as const;
    const begun = store.write([["forgetTurns", nowMs - retentionMs], row], true);
    // The turn's first events wait for it, but a turn may end without any.
    begun.catch(onFault);
    return { number: lastNumber, begun };
  }

  async function find(owner: string, id: string): Promise<KeptTurn | undefined> {
    const kept = await memory.find(owner, id);
    if (kept !== undefined) return kept;
    const [row] = await store.read("findTurn", owner, id, clock.wallTimeMs() - retentionMs);
    return row === undefined ? undefined : restore(row);
  }

  return {
    get bytes() {
      return memory.bytes;
    },
    get count() {
      return memory.count;
    },
    async create(record) {
      const kept = await find(record.owner, record.id);
      if (kept !== undefined) return { type: "exists", turn: kept };
      if (record.transient === true) return memory.create(record);
      return memory.adopt(record, (inner) => durable(begin(record), inner, []));
    },
    find,
    async forget(owner, conversationId) {
      await memory.forget(owner, conversationId);
      await store.write(
        [
          ["eraseFromJournal", owner, conversationId],
          ["forgetTurnsIn", owner, conversationId],
        ],
        true,
      );
    },
    async unfinished() {
      const unfinished: UnfinishedTurn[] = [];
      for (const { number, record, events } of await readRunning(store)) {
        let remembered: TurnLog | undefined;
        store.retain(number);
        const make = (inner: TurnLog) => {
          remembered = inner;
          return durable({ number, begun: Promise.resolve() }, inner, [...events]);
        };
        // Whatever room there is: they are about to end.
        const adopted = memory.adopt(record, make, { mayExceed: true });
        await remembered?.append(events);
        if (adopted.type !== "created") continue;
        if (adopted.log.ended) end(number, events);
        else unfinished.push({ record, log: adopted.log, events });
      }
      return unfinished;
    },
  };
}

/** The turns without an end in the database, with what the journal holds of them. */
async function readRunning(store: SqliteStore) {
  const turns = new Map<number, { number: number; record: TurnRecord; events: TurnEvent[] }>();
  for (const row of await store.read("runningTurns")) {
    turns.set(Number(row.number), { number: Number(row.number), record: recordOf(row), events: [] });
  }
  await readJournal(store, (number, firstSeq, events) => {
    const known = turns.get(number)?.events;
    known?.push(...events.slice(known.length + 1 - firstSeq));
  });
  return turns.values();
}

/** A lane's first text comes with its status; what is only text, and not the last of it, can wait for the beat. */
function isUrgent(event: TurnEvent): boolean {
  return (
    (event.type !== "text" && event.type !== "reasoning") ||
    (event.type === "text" && event.final) ||
    isTerminal(event)
  );
}

async function readJournal(
  store: SqliteStore,
  onEntry: (turn: number, firstSeq: number, events: readonly TurnEvent[]) => void,
): Promise<void> {
  for (let beat = 0; ; ) {
    const rows = await store.read("journalFrom", beat);
    if (rows.length === 0) return;
    for (const row of rows) {
      beat = Number(row.beat);
      const entries = parseEvents<[number, number, TurnEvent[]][]>(String(row.entries));
      for (const [turn, firstSeq, events] of entries) onEntry(turn, firstSeq, events);
    }
  }
}

function recordOf(row: Row): TurnRecord {
  return {
    owner: String(row.owner),
    id: String(row.id),
    contentHash: String(row.content_hash),
    ...(row.conversation_id === null ? {} : { conversationId: String(row.conversation_id) }),
  };
}

/** An ended turn out of its row, for as long as somebody follows it. */
async function restore(row: Row): Promise<KeptTurn> {
  const nothing = () => undefined;
  const { log } = createMemoryTurnLog({ onBytes: nothing, onEnd: nothing });
  await log.append(parseEvents<TurnEvent[]>(String(row.log)));
  return { record: recordOf(row), log };
}
