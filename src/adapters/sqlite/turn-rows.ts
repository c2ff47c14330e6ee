import { type EarlierCheckpoint, UnreadableError, upgradeSteps } from "../../ports/stored-event.ts";
import {
  type DecodedEntry,
  decodeBeat,
  decodeCompactedLog,
  decodeLog,
  decodeResumableRequest,
} from "../../ports/stored-turn.ts";
import { isTerminal, type TurnEvent, type TurnStep } from "../../ports/turn-event.ts";
import type { TurnRecord, TurnStop } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { type GivenLog, lostEvent, toRecord } from "../database/restored-turns.ts";
import { laneTexts } from "../turn-log/memory-turn-log.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Row } from "./statements.ts";

/** A turn that has not ended, as the database has it. */
interface RunningRow {
  readonly number: number;
  readonly record: TurnRecord;
  /** The turn's steps in the journal. */
  readonly steps: readonly TurnStep[];
  readonly request: ResumableRequest | undefined;
  readonly stops: readonly TurnStop[];
}

/** More missing events than this are no gap of the journal, but a broken number. */
const maxLostEvents = 10_000;

/**
 * A turn while its steps are gathered. `requestless`: its request cannot be read. `cut`: neither can some of its steps, so it has the steps
 * before them. `ended`: it has its terminal event, and nothing follows that.
 */
class RunningTurnReader {
  readonly number: number;
  readonly record: TurnRecord;
  readonly #stops: readonly TurnStop[];
  readonly #onFault: (fault: unknown) => void;
  readonly #steps: (TurnStep | EarlierCheckpoint)[] = [];
  #headSeq: number;
  #request: ResumableRequest | undefined;
  #life: "whole" | "requestless" | "cut" | "ended" = "whole";

  constructor(row: Row, onFault: (fault: unknown) => void) {
    this.number = Number(row.number);
    this.record = toRecord(row);
    this.#stops = stopsOf(row);
    this.#headSeq = this.record.afterSeq ?? 0;
    this.#onFault = onFault;
    try {
      if (row.request !== null)
        this.#request = decodeResumableRequest(String(row.request), Number(row.version));
    } catch (fault) {
      this.#lose("requestless", fault);
    }
  }

  add({ firstSeq, lastSeq, events, checkpoints, fault }: DecodedEntry): void {
    if (this.#life === "ended") return;
    const nextSeq = this.#headSeq + 1;
    if (firstSeq > nextSeq)
      this.#lose("cut", new UnreadableError(`the events from ${nextSeq} to ${firstSeq - 1} are missing`));
    this.#fill(firstSeq - 1);
    if (this.#life !== "cut") {
      const added = events.slice(this.#headSeq + 1 - firstSeq);
      const end = added.findIndex(isTerminal);
      if (end >= 0) return void this.#end(added.slice(0, end + 1));
      this.#headSeq += added.length;
      this.#steps.push(...added, ...checkpoints);
    }
    if (fault !== undefined) this.#lose("cut", fault);
    this.#fill(lastSeq);
  }

  read(): RunningRow {
    const { number, record } = this;
    const steps = upgradeSteps(this.#steps);
    return { number, record, steps, request: this.#request, stops: this.#stops };
  }

  #end(steps: readonly TurnEvent[]): void {
    this.#life = "ended";
    this.#headSeq += steps.length;
    this.#steps.push(...steps);
  }

  /** Without its request the turn ends as interrupted. */
  #lose(part: "requestless" | "cut", cause: unknown): void {
    const isKnown = this.#life !== "whole";
    if (this.#life !== "cut") this.#life = part;
    this.#request = undefined;
    if (isKnown) return;
    const { number, record } = this;
    this.#onFault(
      new Error(`turn ${number} (${record.id}) cannot be read and ends as interrupted`, { cause }),
    );
  }

  /** Counts the events up to this number, which a follower may have seen. */
  #fill(lastSeq: number): void {
    if (lastSeq - this.#headSeq > maxLostEvents) return;
    for (; this.#headSeq < lastSeq; this.#headSeq += 1) this.#steps.push(lostEvent);
  }
}

/**
 * Reads the turns that have not ended, with their steps from the journal. An unreadable part of a turn affects no other turn: the turn has
 * its steps before that part and no request, so it ends as interrupted. `onFault` is called once for such a turn, and for each unreadable
 * beat of the journal.
 */
export async function readRunning(
  store: SqliteStore,
  onFault: (fault: unknown) => void,
): Promise<readonly RunningRow[]> {
  await store.flushed();
  const turns = new Map<number, RunningTurnReader>();
  for (const row of await store.read("runningTurns")) {
    const turn = new RunningTurnReader(row, onFault);
    turns.set(turn.number, turn);
  }
  for (let beat = 0; ; ) {
    const rows = await store.read("journalFrom", beat);
    if (rows.length === 0) return [...turns.values()].map((turn) => turn.read());
    for (const row of rows) {
      beat = Number(row.beat);
      const onUnreadable = (cause: unknown) =>
        onFault(new Error(`beat ${beat} of the journal cannot be read`, { cause }));
      for (const entry of readBeat(row, onUnreadable)) {
        if (entry.turn !== undefined) turns.get(entry.turn)?.add(entry);
        else onUnreadable(entry.fault);
      }
    }
  }
}

function readBeat(row: Row, onUnreadable: (cause: unknown) => void): readonly DecodedEntry[] {
  try {
    return decodeBeat(String(row.entries), Number(row.version));
  } catch (fault) {
    onUnreadable(fault);
    return [];
  }
}

/** The part of an ended turn's log that is given. `isCompact`: the log's time is over. */
export function readEnded(row: Row, isCompact: boolean): GivenLog {
  const version = Number(row.version);
  if (row.log === null) {
    const { throughSeq, lanes, terminal } = decodeCompactedLog(String(row.answer), version);
    return { throughSeq, lanes, events: [terminal] };
  }
  const afterSeq = Number(row.after_seq);
  const events = decodeLog(String(row.log), version);
  if (!isCompact) return { throughSeq: afterSeq, lanes: [], events };
  // A reader must not see whether the row was compacted already.
  return {
    throughSeq: afterSeq + events.length - 1,
    lanes: laneTexts(events),
    events: events.slice(-1),
  };
}

function stopsOf({ stopped, stopped_personas: personas }: Row): TurnStop[] {
  const list: unknown = typeof personas === "string" ? JSON.parse(personas) : [];
  return [...(stopped === 1 ? [null] : []), ...(Array.isArray(list) ? list.map(String) : [])];
}
