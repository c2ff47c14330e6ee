import { isObject } from "../../ports/json.ts";
import { UnreadableError } from "../../ports/stored-event.ts";
import { decodeCompactedLog, decodeResumableRequest, decodeSteps } from "../../ports/stored-turn.ts";
import { isReadable, storedVersion } from "../../ports/stored-version.ts";
import { isEvent, type TurnEvent, type TurnStep } from "../../ports/turn-event.ts";
import type { TurnLog, TurnRecord, TurnStop } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { TroupeError } from "../../protocol/errors.ts";
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
import type { OwnTurns } from "./nodes/own-turns.ts";
import type { PostgresStore } from "./postgres-store.ts";

const columns = "number, owner, id, content_hash, conversation_id, after_seq, turns.version";
/** Turns with their newest row of events, unless they have ended. */
export const runningTurns = `SELECT ${columns}, ended_ms, request, first_seq, steps FROM turns
  LEFT JOIN LATERAL (
    SELECT first_seq, steps FROM events WHERE turn = number AND part = 0 AND ended_ms IS NULL ORDER BY first_seq DESC LIMIT 1
  ) AS newest ON true`;
const leftColumns = `${columns}, request, began_ms, claims, cancels`;

const statements = named({
  findTurn: `${runningTurns} WHERE owner = $1 AND id = $2 AND (ended_ms IS NULL OR ended_ms > $3)`,
  endedTurn: `SELECT ${columns}, answer, has_log FROM turns WHERE number = $1 AND ended_ms IS NOT NULL`,
  eventsOf: `SELECT turn, first_seq, part, version, steps FROM events WHERE turn = ANY ($1::bigint[]) ORDER BY turn, first_seq, part`,
  // Node 0 are turns that were let go.
  withoutFence: `SELECT DISTINCT node FROM turns WHERE node IS NOT NULL AND node <> $1
    AND NOT EXISTS (SELECT 1 FROM fences WHERE incarnation = node)`,
  // A lot of the turns that other nodes left. The nodes are constants: a condition on \`fences\` is not checked again for a row that another
  // taker changes meanwhile, and would give it to both. The turns of a conversation go to one taker, with the oldest of them.
  claimTurns: `WITH oldest AS (
      SELECT number, conversation_id FROM turns t WHERE node = ANY ($2::bigint[]) AND (conversation_id IS NULL OR NOT EXISTS (
        SELECT 1 FROM turns o WHERE o.conversation_id = t.conversation_id AND o.node = ANY ($2::bigint[])
          AND (o.began_ms, o.number) < (t.began_ms, t.number)))
      ORDER BY began_ms, number LIMIT 50 FOR UPDATE SKIP LOCKED)
    UPDATE turns SET node = $1, (claims, claimed_seq) = (
      SELECT CASE WHEN newest > claimed_seq THEN 1 ELSE claims + 1 END, newest
      FROM (SELECT coalesce(max(first_seq), 0) AS newest FROM events WHERE turn = number) AS head)
    WHERE node = ANY ($2::bigint[])
      AND (number IN (SELECT number FROM oldest) OR conversation_id IN (SELECT conversation_id FROM oldest))
    RETURNING ${leftColumns}`,
  ownTurns: `SELECT ${leftColumns} FROM turns WHERE node = $1 AND number <> ALL ($2::bigint[])`,
});

/** A turn whose node is gone, and which is this node's now. */
export interface LeftTurn {
  readonly number: number;
  readonly record: TurnRecord;
  readonly steps: readonly TurnStep[];
  readonly request: ResumableRequest | undefined;
  /** The greatest `part` of a row of its last event. */
  readonly part: number;
  readonly stops: readonly TurnStop[];
}

/** A turn that was claimed more often in a row without any event is not run again: it may be the cause of their death. */
const maxClaims = 3;

interface ClaimOptions {
  readonly store: PostgresStore;
  readonly own: OwnTurns;
  /** Called for each turn that cannot be read whole: it has its steps before the fault and no request, so it ends as interrupted. */
  readonly onFault: (fault: unknown) => void;
}

/** Makes the turns of nodes that are gone this node's, and reads them, in the order in which they began. */
export async function claimTurns({ store, own, onFault }: ClaimOptions): Promise<readonly LeftTurn[]> {
  const { incarnation } = store;
  const without = await store.query("", statements.withoutFence, [incarnation]);
  const nodes = arrayOf(without.map(({ node }) => Number(node)));
  const claimed: LeftTurn[] = [];
  while (without.length > 0) {
    const rows = await store.query("", statements.claimTurns, [incarnation, nodes]);
    if (rows.length === 0) break;
    claimed.push(...(await readAll(rows, store, own, onFault)));
  }
  const unknown = await own.findUnknown(async (known) => {
    const rows = await store.query("", statements.ownTurns, [incarnation, arrayOf(known)]);
    return rows.map((row) => ({ ...row, number: Number(row.number) }));
  });
  return [...claimed, ...(await readAll(unknown, store, own, onFault))];
}

async function readAll(
  rows: readonly Row[],
  store: PostgresStore,
  own: OwnTurns,
  onFault: (fault: unknown) => void,
): Promise<readonly LeftTurn[]> {
  if (rows.length === 0) return [];
  const numbers = rows.map(({ number }) => Number(number));
  for (const row of rows) own.add(Number(row.number), toRecord(row));
  const found = await store.queryInTurn("", statements.eventsOf, [arrayOf(numbers)]).catch((fault) => {
    // The next look finds them again.
    for (const number of numbers) own.end(number);
    throw fault;
  });
  const events = Map.groupBy(found, ({ turn }) => String(turn));
  return rows
    .toSorted((one, other) => placeOf(one) - placeOf(other))
    .map((row) => readLeft(row, events.get(String(row.number)) ?? [], onFault));
}

/** Numbers of several nodes tell nothing of time. */
function placeOf({ began_ms: beganMs }: Row): number {
  return Number(beganMs);
}

function arrayOf(numbers: readonly number[]): string {
  return `{${numbers.join(",")}}`;
}

function readLeft(row: Row, rows: readonly Row[], onFault: (fault: unknown) => void): LeftTurn {
  const record = toRecord(row);
  const steps: TurnStep[] = [];
  let request: ResumableRequest | undefined;
  let headSeq = record.afterSeq ?? 0;
  let isWhole = Number(row.claims) <= maxClaims;
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
  return {
    number: Number(row.number),
    record,
    steps,
    request: isWhole ? request : undefined,
    part,
    stops: stopsOf(row),
  };
}

/** The stops of clients of this row's node and of others. */
function stopsOf({ cancels }: Row): TurnStop[] {
  return Array.isArray(cancels) ? cancels.map((stop) => (stop === null ? null : String(stop))) : [];
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

/** A turn that runs somewhere, perhaps at a node that is gone. */
export interface RunningRow {
  readonly number: number;
  readonly record: TurnRecord;
  /** As old as the answer. */
  readonly headSeq: number;
}

/** The turn of this name; `undefined` if there is none, or if its time is over. */
export async function findTurn(
  store: PostgresStore,
  owner: string,
  id: string,
  { foundAfterMs, compactUntilMs }: TurnAges,
): Promise<
  ({ readonly type: "running" } & RunningRow) | ({ readonly type: "ended" } & EndedTurn) | undefined
> {
  const [row] = await store.query(owner, statements.findTurn, [owner, id, foundAfterMs]);
  if (row === undefined) return undefined;
  if (row.ended_ms === null) return { type: "running", ...runningRow(row) };
  return {
    type: "ended",
    number: Number(row.number),
    record: toRecord(row),
    isCompact: Number(row.ended_ms) <= compactUntilMs,
  };
}

/** Reads a row of `runningTurns`. */
export function runningRow(row: Row): RunningRow {
  const record = toRecord(row);
  return { number: Number(row.number), record, headSeq: headOf(row, record) };
}

/** The number of the last event, from the newest row with events. */
function headOf({ first_seq: firstSeq, steps }: Row, { afterSeq = 0 }: TurnRecord): number {
  return typeof steps === "string" ? Number(firstSeq) + eventsIn(steps) - 1 : afterSeq;
}

/** Whether a later release wrote the row. Another node can read it. */
export function isOfLaterRelease({ version }: Row): boolean {
  return Number(version) > storedVersion;
}

/** The fault of a reader that comes to a row of a later release. Its client gets it, and can go on at another node. */
export function laterRelease(): TroupeError {
  return new TroupeError("internal_error", {
    detail: "A later release of the server has written this answer. Resume it at another server.",
  });
}

/** The events of a row, each as a lost one if the row cannot be read. */
export function eventsOfRow(row: Row, onFault: (fault: unknown) => void): readonly TurnEvent[] {
  try {
    return stepsOf(row).filter(isEvent);
  } catch (fault) {
    onFault(fault);
    return Array<TurnEvent>(eventsIn(String(row.steps))).fill(lostEvent);
  }
}

/** The events of a row that another node has sent; `undefined` if it cannot be read. */
export function eventsOfMessage(version: number, steps: string): readonly TurnEvent[] | undefined {
  try {
    return stepsOf({ version, steps }).filter(isEvent);
  } catch {
    return undefined;
  }
}

/** The log of an ended turn whose events are no longer stored; `undefined` if the turn is gone. */
export async function readAnswer(store: PostgresStore, number: number): Promise<TurnLog | undefined> {
  const [row] = await store.query("", statements.endedTurn, [number]);
  return row === undefined ? undefined : readEnded(store, { number, record: toRecord(row), isCompact: true });
}

/** Reads the log of an ended turn; see `restoreLog`. Throws if a later release has written its answer. */
export async function readEnded(store: PostgresStore, turn: EndedTurn): Promise<TurnLog | undefined> {
  const { number, record, isCompact } = turn;
  const { owner, afterSeq = 0 } = record;
  const [row] = await store.query(owner, statements.endedTurn, [number]);
  if (row === undefined) return undefined;
  if (isOfLaterRelease(row)) throw laterRelease();
  const rows =
    isCompact || row.has_log !== true
      ? []
      : await store.query(owner, statements.eventsOf, [arrayOf([number])]);
  const read = (): GivenLog => {
    const { throughSeq, lanes, terminal } = decodeCompactedLog(String(row.answer), Number(row.version));
    const whole = rows.some(isOfLaterRelease) ? [] : rows.flatMap(stepsOf).filter(isEvent);
    const isWhole = whole.length === throughSeq + 1 - afterSeq;
    return isWhole
      ? { throughSeq: afterSeq, lanes: [], events: whole }
      : { throughSeq, lanes, events: [terminal] };
  };
  return restoreLog(turn, read, store.report);
}
