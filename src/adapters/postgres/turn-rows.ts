import { isObject } from "../../ports/json.ts";
import { UnreadableError } from "../../ports/stored-event.ts";
import { decodeCompactedLog, decodeResumableRequest, decodeSteps } from "../../ports/stored-turn.ts";
import { isReadable } from "../../ports/stored-version.ts";
import { isEvent, type TurnEvent, type TurnStep } from "../../ports/turn-event.ts";
import type { TurnLog, TurnRecord } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import {
  type EndedTurn,
  type GivenLog,
  lostEvent,
  restoreLog,
  type TurnAges,
  toRecord,
} from "../database/restored-turns.ts";
import type { Row } from "../database/row.ts";
import { named } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";

const columns = "number, owner, id, content_hash, conversation_id, after_seq, version";

const statements = named({
  findTurn: `SELECT ${columns}, ended_ms FROM turns WHERE owner = $1 AND id = $2 AND ended_ms > $3`,
  endedTurn: `SELECT ${columns}, answer, has_log FROM turns WHERE number = $1 AND ended_ms IS NOT NULL`,
  eventsOf: `SELECT turn, first_seq, part, version, steps FROM events WHERE turn = ANY ($1::bigint[]) ORDER BY turn, first_seq, part`,
  // A lot of the turns that other processes left. Once theirs, they are found no more.
  claimTurns: `UPDATE turns SET node = $1 WHERE number IN (
      SELECT number FROM turns WHERE node <> $1 ORDER BY number LIMIT 50 FOR UPDATE
    ) RETURNING ${columns}, request`,
});

/** A turn that a process before left running. */
export interface LeftTurn {
  readonly number: number;
  readonly record: TurnRecord;
  readonly steps: readonly TurnStep[];
  readonly request: ResumableRequest | undefined;
  /** The greatest `part` of a row of its last event. */
  readonly part: number;
}

/**
 * Makes the turns that processes before left running this process's, and reads them. A turn that cannot be read whole has its steps before the
 * fault and no request, so it ends as interrupted, and `onFault` is called.
 */
export async function claimTurns(
  store: PostgresStore,
  onFault: (fault: unknown) => void,
): Promise<readonly LeftTurn[]> {
  const claimed: LeftTurn[] = [];
  for (;;) {
    const rows = await store.query("", statements.claimTurns, [store.incarnation]);
    if (rows.length === 0) return claimed;
    const numbers = `{${rows.map(({ number }) => String(number)).join(",")}}`;
    const events = Map.groupBy(await store.query("", statements.eventsOf, [numbers]), ({ turn }) =>
      String(turn),
    );
    for (const row of rows) claimed.push(readLeft(row, events.get(String(row.number)) ?? [], onFault));
  }
}

function readLeft(row: Row, rows: readonly Row[], onFault: (fault: unknown) => void): LeftTurn {
  const record = toRecord(row);
  const steps: TurnStep[] = [];
  let request: ResumableRequest | undefined;
  let headSeq = record.afterSeq ?? 0;
  let isWhole = true;
  const lose = (cause: unknown) => {
    if (isWhole)
      onFault(
        new Error(`turn ${row.number} (${record.id}) cannot be read and ends as interrupted`, { cause }),
      );
    isWhole = false;
  };
  try {
    if (row.request !== null) request = decodeResumableRequest(String(row.request), Number(row.version));
  } catch (fault) {
    lose(fault);
  }
  for (const events of rows) {
    // An event that cannot be read has its number all the same, because a follower may have seen it.
    for (; headSeq < Number(events.first_seq) - 1; headSeq += 1) {
      lose(new UnreadableError(`event ${headSeq + 1} is missing`));
      steps.push(lostEvent);
    }
    try {
      const read = stepsOf(events);
      steps.push(...read);
      headSeq += read.filter(isEvent).length;
    } catch (fault) {
      lose(fault);
      const lost = eventsIn(String(events.steps));
      headSeq += lost;
      steps.push(...Array<TurnEvent>(lost).fill(lostEvent));
    }
  }
  const last = rows.at(-1);
  const part = last === undefined || Number(last.first_seq) < headSeq ? 0 : Number(last.part);
  return { number: Number(row.number), record, steps, request: isWhole ? request : undefined, part };
}

/** The number of events in steps that cannot be read. */
function eventsIn(steps: string): number {
  try {
    const list: unknown = JSON.parse(steps);
    if (Array.isArray(list))
      return list.filter((step) => !isObject(step) || step.type !== "checkpoint").length;
    return 1;
  } catch {
    // Not even their number is known.
    return 1;
  }
}

function stepsOf({ version, steps }: Row): TurnStep[] {
  if (!isReadable(Number(version))) throw new UnreadableError(`version ${version} is not known`);
  return decodeSteps(String(steps));
}

export async function findEnded(
  store: PostgresStore,
  owner: string,
  id: string,
  { foundAfterMs, compactUntilMs }: TurnAges,
): Promise<EndedTurn | undefined> {
  const [row] = await store.query(owner, statements.findTurn, [owner, id, foundAfterMs]);
  if (row === undefined) return undefined;
  return {
    number: Number(row.number),
    record: toRecord(row),
    isCompact: Number(row.ended_ms) <= compactUntilMs,
  };
}

/** Reads the log of an ended turn; see `restoreLog`. */
export async function readEnded(store: PostgresStore, turn: EndedTurn): Promise<TurnLog | undefined> {
  const { number, record, isCompact } = turn;
  const { owner, afterSeq = 0 } = record;
  const [row] = await store.query(owner, statements.endedTurn, [number]);
  if (row === undefined) return undefined;
  const rows =
    isCompact || row.has_log !== true ? [] : await store.query(owner, statements.eventsOf, [`{${number}}`]);
  const read = (): GivenLog => {
    const { throughSeq, lanes, terminal } = decodeCompactedLog(String(row.answer), Number(row.version));
    const whole = rows.flatMap(stepsOf).filter(isEvent);
    const isWhole = whole.length === throughSeq + 1 - afterSeq;
    return isWhole
      ? { throughSeq: afterSeq, lanes: [], events: whole }
      : { throughSeq, lanes, events: [terminal] };
  };
  return restoreLog(turn, read, store.report);
}
