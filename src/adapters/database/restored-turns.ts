import type { TurnEvent } from "../../ports/turn-event.ts";
import type { KeptTurn, LaneText, TurnLog, TurnRecord } from "../../ports/turn-log.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { MemoryTurnLog } from "../turn-log/memory-turn-log.ts";
import type { Row } from "./row.ts";

/**
 * Limits for ended turns, as served times in milliseconds. A turn that ended by `foundAfterMs` is not found; one that ended by
 * `compactUntilMs` is compacted.
 */
export interface TurnAges {
  readonly foundAfterMs: number;
  readonly compactUntilMs: number;
}

/** An ended turn's row, without its events. */
export interface EndedTurn {
  readonly number: number;
  readonly record: TurnRecord;
  /** Its events are given no more, only its answer. */
  readonly isCompact: boolean;
}

/** Ended turns, restored from their rows. */
interface RestoredTurns {
  /** The turn with its log; `undefined` if it is gone. */
  restore(turn: EndedTurn): Promise<KeptTurn | undefined>;
}

/**
 * Shares one log among all readers of an ended turn, and keeps it in memory as long as one of them holds it. A log may have many
 * megabytes, and a hundred clients that come back at the same moment may ask for the same one.
 */
export function createRestoredTurns(
  readEnded: (turn: EndedTurn) => Promise<TurnLog | undefined>,
): RestoredTurns {
  const logs = new Map<string, WeakRef<TurnLog>>();
  const reading = new Map<string, Promise<TurnLog | undefined>>();
  const registry = new FinalizationRegistry<string>((key) => {
    if (logs.get(key)?.deref() === undefined) logs.delete(key);
  });

  async function readOnce(key: string, turn: EndedTurn): Promise<TurnLog | undefined> {
    try {
      const log = await readEnded(turn);
      if (log === undefined) return undefined;
      logs.set(key, new WeakRef(log));
      registry.register(log, key);
      return log;
    } finally {
      reading.delete(key);
    }
  }

  return {
    async restore(turn) {
      const key = `${turn.number} ${turn.isCompact ? "compacted" : "whole"}`;
      let log = logs.get(key)?.deref();
      if (log === undefined) {
        const read = reading.get(key) ?? readOnce(key, turn);
        reading.set(key, read);
        log = await read;
      }
      return log === undefined ? undefined : { record: turn.record, log };
    },
  };
}

/** The part of an ended turn's log that is given: its events, after the texts of the lanes up to `throughSeq`. */
export interface GivenLog {
  readonly throughSeq: number;
  readonly lanes: readonly LaneText[];
  readonly events: readonly TurnEvent[];
}

/** Makes the log of an ended turn. If `read` throws, `onFault` is called, and the log has one event, an end as interrupted. */
export function restoreLog(
  { number, record: { afterSeq = 0 } }: Pick<EndedTurn, "number" | "record">,
  read: () => GivenLog,
  onFault: (fault: unknown) => void,
): TurnLog {
  let given: GivenLog;
  try {
    given = read();
  } catch (cause) {
    onFault(new Error(`the log of turn ${number} cannot be read`, { cause }));
    const end: TurnEvent = { type: "failure", error: new TroupeError("interrupted") };
    given = { throughSeq: afterSeq, lanes: [], events: [end] };
  }
  const { throughSeq, lanes, events } = given;
  const nothing = () => undefined;
  const log = new MemoryTurnLog({ from: { throughSeq, lanes }, onBytes: nothing, onEnd: nothing });
  log.add(events);
  return log;
}

/** Stands for an event that cannot be read, so that the numbers of the others stay the same. No lane starts again. */
export const lostEvent: TurnEvent = { type: "reset", lanes: [] };

export function toRecord(row: Row): TurnRecord {
  const afterSeq = Number(row.after_seq);
  return {
    owner: String(row.owner),
    id: String(row.id),
    contentHash: String(row.content_hash),
    ...(row.conversation_id === null ? {} : { conversationId: String(row.conversation_id) }),
    ...(afterSeq === 0 ? {} : { afterSeq }),
  };
}
