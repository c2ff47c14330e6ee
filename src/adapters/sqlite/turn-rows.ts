import type { TurnEvent, TurnStep } from "../../ports/turn-event.ts";
import type { TurnLog, TurnRecord } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { MemoryTurnLog } from "../memory/memory-turn-log.ts";
import { compactLog, openCompactedLog } from "./compacted-log.ts";
import { parseEvents } from "./event-codec.ts";
import type { JournalEntry, SqliteStore } from "./sqlite-store.ts";
import type { Row } from "./statements.ts";

/** A turn without an end as the database has it. */
interface RunningRow {
  readonly number: number;
  readonly record: TurnRecord;
  /** What the journal holds of it, and the number of its last event. */
  readonly steps: TurnStep[];
  headSeq: number;
  readonly request: ResumableRequest | undefined;
}

/**
 * The turns without an end in the database, with what the journal holds of them. A part that cannot be read costs no other turn:
 * without its request a turn does not go on, and after a gap nothing more of it is used. `onFault` hears of both.
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

/** The value that `read` returns. Text that is not JSON gives `undefined`, and `onFault` hears of it. */
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

/** The log of an ended turn out of its row; `compact`: the time of its log is over. */
export async function restoreLog(row: Row, compact: boolean): Promise<TurnLog> {
  if (row.log === null) return openCompactedLog(String(row.answer));
  // Nobody is to see whether the row was compacted already.
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
