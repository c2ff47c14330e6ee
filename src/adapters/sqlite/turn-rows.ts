import type { TurnEvent, TurnStep } from "../../ports/turn-event.ts";
import type { TurnLog, TurnRecord } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { parseEvents } from "../turn-log/event-codec.ts";
import { MemoryTurnLog } from "../turn-log/memory-turn-log.ts";
import { compactLog, openCompactedLog } from "./compacted-log.ts";
import type { JournalEntry, SqliteStore } from "./sqlite-store.ts";
import type { Row } from "./statements.ts";

/** A turn that has not ended, as the database has it. */
interface RunningRow {
  readonly number: number;
  readonly record: TurnRecord;
  /** The turn's steps in the journal; `headSeq` is the number of its last event. */
  readonly steps: TurnStep[];
  headSeq: number;
  readonly request: ResumableRequest | undefined;
}

/**
 * Reads the turns that have not ended, with their steps from the journal. An unreadable part does not affect other turns: a turn without
 * its request does not go on, and a turn's steps after a gap are ignored. `onFault` is called for each unreadable part.
 */
export async function readRunning(
  store: SqliteStore,
  onFault: (fault: unknown) => void,
): Promise<Iterable<RunningRow>> {
  await store.flushed();
  const turns = new Map<number, RunningRow>();
  for (const row of await store.read("runningTurns")) {
    const number = Number(row.number);
    const read = () => JSON.parse(String(row.request)) as ResumableRequest | null;
    const request = readable(`the request of turn ${number}`, onFault, read) ?? undefined;
    const record = recordOf(row);
    turns.set(number, { number, record, steps: [], headSeq: record.afterSeq ?? 0, request });
  }
  await readJournal(store, onFault, ([number, firstSeq, events, checkpoints = []]) => {
    const turn = turns.get(number);
    if (turn === undefined || firstSeq > turn.headSeq + 1) return;
    const added = events.slice(turn.headSeq + 1 - firstSeq);
    turn.headSeq += added.length;
    turn.steps.push(...added, ...checkpoints);
  });
  return turns.values();
}

/** Returns the value of `read`; if it throws, calls `onFault` and returns `undefined`. */
function readable<T>(what: string, onFault: (fault: unknown) => void, read: () => T): T | undefined {
  try {
    return read();
  } catch (cause) {
    onFault(new Error(`${what} cannot be read`, { cause }));
    return undefined;
  }
}

async function readJournal(
  store: SqliteStore,
  onFault: (fault: unknown) => void,
  onEntry: (entry: JournalEntry) => void,
): Promise<void> {
  for (let beat = 0; ; ) {
    const rows = await store.read("journalFrom", beat);
    if (rows.length === 0) return;
    for (const row of rows) {
      beat = Number(row.beat);
      const read = () => parseEvents<JournalEntry[]>(String(row.entries));
      const entries = readable(`beat ${beat} of the journal`, onFault, read);
      for (const entry of entries ?? []) onEntry(entry);
    }
  }
}

/** Makes the log of an ended turn from its row; `compact`: the log's time is over. */
export async function restoreLog(row: Row, compact: boolean): Promise<TurnLog> {
  if (row.log === null) return openCompactedLog(String(row.answer));
  // A reader must not see whether the row was compacted already.
  if (compact) return openCompactedLog(compactLog(String(row.log), Number(row.after_seq)));
  const from = { throughSeq: Number(row.after_seq), lanes: [] };
  const log = new MemoryTurnLog({ from, onBytes: () => undefined, onEnd: () => undefined });
  await log.append(parseEvents<TurnEvent[]>(String(row.log)));
  return log;
}

export function recordOf(row: Row): TurnRecord {
  return {
    owner: String(row.owner),
    id: String(row.id),
    contentHash: String(row.content_hash),
    ...(row.conversation_id === null ? {} : { conversationId: String(row.conversation_id) }),
    ...(row.after_seq === 0 ? {} : { afterSeq: Number(row.after_seq) }),
  };
}
