import type { TurnEvent } from "../../ports/turn-event.ts";
import type { KeptTurn, TurnRecord } from "../../ports/turn-log.ts";
import { createMemoryTurnLog } from "../memory/memory-turn-log.ts";
import { compactLog, openCompactedLog } from "./compacted-log.ts";
import { parseEvents } from "./event-codec.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Row } from "./statements.ts";

/** A turn without an end as the database has it. */
interface RunningRow {
  readonly number: number;
  readonly record: TurnRecord;
  /** What the journal holds of it. */
  readonly events: TurnEvent[];
}

/** The turns without an end in the database, with what the journal holds of them. */
export async function readRunning(store: SqliteStore): Promise<Iterable<RunningRow>> {
  const turns = new Map<number, RunningRow>();
  for (const row of await store.read("runningTurns")) {
    turns.set(Number(row.number), { number: Number(row.number), record: recordOf(row), events: [] });
  }
  await readJournal(store, (number, firstSeq, events) => {
    const known = turns.get(number)?.events;
    known?.push(...events.slice(known.length + 1 - firstSeq));
  });
  return turns.values();
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

/** An ended turn out of its row, for as long as somebody follows it; `compact`: the time of its log is over. */
export async function restoreTurn(row: Row, compact: boolean): Promise<KeptTurn> {
  const record = recordOf(row);
  if (row.log === null) return { record, log: await openCompactedLog(String(row.answer)) };
  // Nobody is to see whether the row was compacted already.
  if (compact) return { record, log: await openCompactedLog(compactLog(String(row.log))) };
  const { log } = createMemoryTurnLog({ onBytes: () => undefined, onEnd: () => undefined });
  await log.append(parseEvents<TurnEvent[]>(String(row.log)));
  return { record, log };
}

function recordOf(row: Row): TurnRecord {
  return {
    owner: String(row.owner),
    id: String(row.id),
    contentHash: String(row.content_hash),
    ...(row.conversation_id === null ? {} : { conversationId: String(row.conversation_id) }),
  };
}
