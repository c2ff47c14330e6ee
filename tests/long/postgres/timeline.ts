import { runOn } from "./open-store.ts";

/** A fault of the run, from its start to the moment when it was over. Times of this machine's clock, milliseconds. */
export interface PlayedFault {
  readonly kind: string;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** A turn that got another owner, or none: `undefined` after its end, 0 if it was let go. */
export interface OwnerChange {
  readonly turn: number;
  readonly id: string;
  readonly before: number | undefined;
  readonly after: number | undefined;
  readonly atMs: number;
}

/** A node's incarnation, or a slice of a dead one, at a moment of the database's clock. */
interface Moment {
  readonly incarnation: number;
  readonly name: string;
  readonly atMs: number;
}

/** The notes of a run's database; see `watchNodes`. Each list is in the order of time. */
export interface NodeHistory {
  readonly looks: readonly Moment[];
  readonly starts: readonly Moment[];
  /** Kills, by the incarnation of the killed node. */
  readonly deaths: readonly Moment[];
  readonly fenceEnds: readonly Moment[];
  readonly owners: readonly OwnerChange[];
  readonly sliceEnds: readonly Moment[];
  readonly faults: readonly PlayedFault[];
}

/** The times of a run, counted in looks of the nodes that live, so that a slow machine does not count as a late node. */
export interface Timeline {
  readonly history: NodeHistory;
  /** The looks of the node that looked most often in between. There is about one each second. */
  looks(fromMs: number, toMs: number): number;
  /** Whether it took longer than nodes need to notice a death: 10 looks, or 25 after the last outage. */
  isLate(fromMs: number, toMs: number): boolean;
  /** Whether a fault between a node and the database was going on, or was over for less than 20 s. */
  isNearOutage(fromMs: number, toMs: number): boolean;
  /** The first moment from which an incarnation counts as dead; `undefined` if it is alive. */
  deathOf(incarnation: number): number | undefined;
}

/** The looks within which others have claimed the turns of a dead node (specified in seconds, and a node looks every second). */
const maxLooks = 10;
const maxLooksAfterOutage = 25;
/** After an outage, no node counts as dead for so long. */
const quietMs = 20_000;

/** Faults that no other node has to notice by its own looks at the database. All others may make a look fail. */
const deaths: readonly string[] = [
  "kill",
  "kill of two",
  "stop in order",
  "kill in the start",
  "rolling restart",
];
/** Faults of the processes only. */
const ofProcesses: readonly string[] = [...deaths, "stop"];

export function createTimeline(history: NodeHistory): Timeline {
  const looksOf = Map.groupBy(history.looks, ({ incarnation }) => incarnation);
  const outages = history.faults.filter(({ kind }) => !deaths.includes(kind));
  const ends = new Map<number, number>();
  for (const { incarnation, atMs } of [...history.fenceEnds, ...history.deaths])
    ends.set(incarnation, Math.min(atMs, ends.get(incarnation) ?? atMs));

  function looks(fromMs: number, toMs: number): number {
    const counts = [...looksOf.values()].map(
      (all) => all.filter(({ atMs }) => atMs > fromMs && atMs < toMs).length,
    );
    return Math.max(0, ...counts);
  }

  /** Those of a wait, or of the time just before it. */
  function near(fromMs: number, toMs: number): PlayedFault[] {
    return outages.filter(({ beganMs, endedMs }) => endedMs > fromMs - quietMs && beganMs < toMs);
  }

  return {
    history,
    looks,
    isNearOutage: (fromMs, toMs) => near(fromMs, toMs).some(({ kind }) => !ofProcesses.includes(kind)),
    isLate(fromMs, toMs) {
      const before = near(fromMs, toMs);
      if (before.length === 0) return looks(fromMs, toMs) > maxLooks;
      const calmMs = Math.max(fromMs, ...before.map(({ endedMs }) => endedMs));
      return looks(calmMs, toMs) > maxLooksAfterOutage;
    },
    deathOf: (incarnation) => ends.get(incarnation),
  };
}

const millis = "extract(epoch FROM at)::float8 * 1000 AS at_ms";

/** Reads the notes of a database. */
export async function readHistory(databaseUrl: string, faults: readonly PlayedFault[]): Promise<NodeHistory> {
  async function moments(table: string, name = "''"): Promise<Moment[]> {
    const rows = await runOn(
      databaseUrl,
      `SELECT incarnation, ${name} AS name, ${millis} FROM ${table} ORDER BY at`,
    );
    return rows.map((row) => ({
      incarnation: Number(row.incarnation),
      name: String(row.name),
      atMs: Number(row.at_ms),
    }));
  }
  const owners = await runOn(
    databaseUrl,
    `SELECT turn, id, before, after, ${millis} FROM seen_owners ORDER BY at`,
  );
  return {
    faults,
    looks: await moments("seen_looks"),
    starts: await moments("seen_starts", "name"),
    deaths: await moments("seen_deaths"),
    fenceEnds: await moments("seen_fence_ends"),
    sliceEnds: await moments("seen_slice_ends", "name"),
    owners: owners.map((row) => ({
      turn: Number(row.turn),
      id: String(row.id),
      before: row.before === null ? undefined : Number(row.before),
      after: row.after === null ? undefined : Number(row.after),
      atMs: Number(row.at_ms),
    })),
  };
}
