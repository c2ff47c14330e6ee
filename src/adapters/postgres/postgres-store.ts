import { randomBytes } from "node:crypto";
import type { Clock } from "../../ports/clock.ts";
import { faultsOf, type Observer } from "../../ports/observer.ts";
import { isStorageUnavailable } from "../../protocol/errors.ts";
import { CommitLoop, storageUnavailable } from "../database/commits.ts";
import type { Row } from "../database/row.ts";
import { type BeatItem, charsOf } from "./beat-item.ts";
import { BeatQueue, type Outcome, type QueuedItem } from "./beat-queue.ts";
import { checkServer, connect, drop, named, openPool, type Statement, type Value } from "./connection.ts";
import { checkRoom } from "./connection-room.ts";
import { DatabaseFault, FenceLostError, kindOf, takenOver, toRefusal } from "./database-faults.ts";
import { type JournalLine, openJournalLine } from "./journal-line.ts";
import { migrate } from "./migrations.ts";
import { createReader } from "./pool-reader.ts";
import { createStoreHealth } from "./store-health.ts";
import { blockIn, nextBlock, numberTurns } from "./turn-numbers.ts";
import { within } from "./within.ts";

interface PostgresStoreOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Names this node for people. Default: empty. */
  readonly name?: string;
  /** Connections for statements outside the journal. Default 3. */
  readonly poolConnections?: number;
  /** The processes of this machine that this one is one of, each with as many connections. Default 1. */
  readonly processes?: number;
  /** Is given one line if other programs may leave too few connections. */
  readonly onWarning?: (message: string) => void;
  /** Is told commits, a failing database, and faults of writes that no caller waits for. */
  readonly observer: Observer;
}

/** The connections of a node beside its pool: one for the journal, one for heartbeats, one for messages of other nodes. */
const otherConnections = 3;
/** How long a closing store waits for a database that is away. */
const closeLimitMs = 5_000;

/**
 * The database. One connection writes the journal: everything of running turns, committed together in order, once a beat, or at once if it is
 * urgent. A few others run the statements of requests; owners take turns there. While the database is away, items wait, and new turns are
 * refused with `storage_unavailable`. Items are refused with it only if the database itself refuses every write (a full disk, for example).
 */
export interface PostgresStore extends AsyncDisposable {
  /** Why no turn may begin now; `undefined` while the database works. */
  readonly fault: Error | undefined;
  /** Tells this process from all others that ever wrote to this database. */
  readonly incarnation: number;
  /**
   * Aborts when other nodes have taken over the turns of this one. From then on every write of the journal is refused, and nothing of these
   * turns may be told to anyone.
   */
  readonly lost: AbortSignal;
  /** Aborts when the store closes. */
  readonly closing: AbortSignal;
  /** Call this when a look finds no fence of this node. */
  lose(): void;
  /** Commits an item; see `Outcome`. */
  commit(item: BeatItem, urgent: boolean): Promise<Outcome>;
  /** Commits an item in the next beat; if the database refuses all writes, it waits and tries again. */
  commitInTheEnd(item: BeatItem): Promise<Outcome>;
  /**
   * Runs a statement by itself and returns its rows. It may run twice, so it must be one that may be repeated. Rejects with
   * `storage_unavailable` if the database is away for 2 s.
   */
  query(owner: string, statement: Statement, values?: readonly Value[]): Promise<readonly Row[]>;
  /** The same for a running turn, which waits until the database is back. */
  queryInTurn(owner: string, statement: Statement, values?: readonly Value[]): Promise<readonly Row[]>;
  /** Whether the database answers and takes writes. */
  canStore(): Promise<boolean>;
  /** Settles after a commit that began after this call; rejects if the fence is gone. */
  confirm(): Promise<unknown>;
  /** Settles when all items of before are committed or refused. Rejects with `storage_unavailable` after `limitMs` (default: no limit). */
  flushed(limitMs?: number): Promise<unknown>;
  /** Settles when no item waits. On a busy server that may never be. */
  idle(): Promise<void>;
  /** A number that no turn ever had. Rejects with `storage_unavailable` if it must be read and the database is away for 2 s. */
  nextTurn(): Promise<number>;
  /** Tells the observer why a write failed that no caller waits for. */
  readonly report: (fault: unknown) => void;
}

/** How long a request waits for a database that is away. */
export const patienceMs = 2_000;
/** As much text as a busy beat writes, in bytes: storage with less room does not count as working. */
const probeBytes = 131_072;

const statements = named({
  // A server that is set to be read-only, or becomes a standby, answers all other looks.
  look: "SELECT current_setting('transaction_read_only') = 'off' AS takes_writes",
  nextBlock,
  endProbe: "DELETE FROM events WHERE turn = $1",
  leaveFence: "DELETE FROM fences WHERE incarnation = $1",
  leaveNode: "DELETE FROM nodes WHERE incarnation = $1",
});

/** Connects, and brings the schema up to date. Rejects with one clear line if the database cannot be used. */
export async function createPostgresStore({
  url,
  clock,
  observer,
  name = "",
  poolConnections = 3,
  processes = 1,
  onWarning = () => undefined,
}: PostgresStoreOptions): Promise<PostgresStore> {
  await using opening = new AsyncDisposableStack();
  const client = await connect(url, "journal").catch((cause: unknown) => {
    throw new DatabaseFault("the PostgreSQL database cannot be used", { cause });
  });
  opening.defer(() => drop(client));
  await checkServer(client);
  await checkRoom(client, { processes, each: otherConnections + poolConnections, onWarning });
  await migrate(client);
  const pool = openPool(url, poolConnections);
  opening.defer(() => pool.end());
  const incarnation = blockIn((await client.query(nextBlock)).rows[0]);
  const lost = new AbortController();
  // No turn has this number.
  const probeTurn = -incarnation;
  const health = createStoreHealth({
    clock,
    probe: async () => {
      probes += 1;
      const steps = JSON.stringify(randomBytes(probeBytes).toString("hex"));
      await line.commit([{ kind: "steps", turn: probeTurn, firstSeq: probes, part: 0, steps, events: 0 }]);
      await reader.query("", statements.endProbe, [probeTurn], patienceMs);
    },
    onChange: (error) =>
      observer.storageChanged?.(error === undefined ? { state: "working" } : { state: "failing", error }),
  });
  const line: JournalLine = await openJournalLine({
    ...{ url, clock, client, incarnation, name },
    onDelay: (fault) => health.delay(fault),
  });
  const stopped = new AbortController();
  const reader = createReader({
    ask: (query) => pool.query(query),
    ...{ clock, connections: poolConnections, signal: stopped.signal },
  });
  const queue = new BeatQueue();
  const loop = new CommitLoop({
    ...{ clock, closing: stopped.signal },
    isEmpty: () => queue.isEmpty,
    commitNext: (isDue) => (isDue ? commit(queue.take()) : undefined),
  });
  let probes = 0;

  async function commit(items: readonly QueuedItem[]): Promise<void> {
    if (items.length === 0) return;
    const { refusing } = health;
    if (refusing !== undefined) return reject(items, storageUnavailable(refusing));
    const startedAtMs = observer.committed === undefined ? 0 : clock.now();
    try {
      const began = await line.commit(items.map(({ item }) => item));
      tellCommit(items, startedAtMs);
      for (const { item, settled } of items)
        settled.resolve(item.kind === "start" && !began.has(item.turn.number) ? "refused" : "done");
    } catch (fault) {
      // The values of one item are at fault, and must not stop the others.
      if (items.length > 1 && isOfData(fault)) {
        const half = Math.ceil(items.length / 2);
        await commit(items.slice(0, half));
        return commit(items.slice(half));
      }
      if (fault instanceof FenceLostError) lose(fault);
      if (!isOfData(fault)) health.refuse(fault instanceof Error ? fault : new Error(String(fault)));
      reject(items, isOfData(fault) ? fault : storageUnavailable(fault));
    }
  }

  /** The turns are left first, so that no refusal of this node's last items reaches a client. */
  function lose(cause: FenceLostError): void {
    if (lost.signal.aborted) return;
    lost.abort(cause);
    health.refuse(cause);
  }

  function tellCommit(items: readonly QueuedItem[], startedAtMs: number): void {
    observer.committed?.({
      events: items.reduce((sum, { item }) => sum + (item.kind === "steps" ? item.events : 0), 0),
      bytes: items.reduce((sum, { item }) => sum + charsOf(item), 0),
      durationMs: clock.now() - startedAtMs,
    });
  }

  function add(item: BeatItem, urgent: boolean): Promise<Outcome> {
    const committed = queue.add(item);
    loop.schedule(urgent);
    return committed;
  }

  function query(...asked: Parameters<typeof reader.query>): Promise<readonly Row[]> {
    return reader.query(...asked).catch((fault: unknown) => {
      throw toRefusal(fault);
    });
  }

  function flushed(limitMs = Number.POSITIVE_INFINITY): Promise<unknown> {
    const before = queue.settled();
    void loop.startNow();
    return limitMs === Number.POSITIVE_INFINITY ? before : within(clock, limitMs, before);
  }

  const opened = opening.move();
  return {
    incarnation,
    lost: lost.signal,
    closing: stopped.signal,
    lose: () => lose(new FenceLostError(takenOver)),
    get fault() {
      return health.fault;
    },
    commit: add,
    async commitInTheEnd(item) {
      for (;;) {
        try {
          return await add(item, false);
        } catch (fault) {
          if (!isStorageUnavailable(fault) || stopped.signal.aborted || lost.signal.aborted) throw fault;
          await health.recovered();
        }
      }
    },
    query: (owner, statement, values = []) => query(owner, statement, values, patienceMs),
    queryInTurn: (owner, statement, values = []) => query(owner, statement, values, Number.POSITIVE_INFINITY),
    async canStore() {
      if (health.fault !== undefined) return false;
      return reader.query("", statements.look, [], 0).then(
        ([row]) => row?.takes_writes === true,
        () => false,
      );
    },
    confirm: () => add({ kind: "nothing" }, true),
    flushed,
    idle: () => loop.idle(),
    nextTurn: numberTurns(incarnation, async () =>
      blockIn((await query("", statements.nextBlock, [], patienceMs))[0]),
    ),
    report: faultsOf(observer, "storage"),
    async [Symbol.asyncDispose]() {
      stopped.abort();
      const cancel = clock.callAfter(closeLimitMs, () => line.stop());
      await loop.idle();
      cancel();
      // From now on any node may take up the turns that were left here.
      for (const statement of [statements.leaveFence, statements.leaveNode])
        await reader.query("", statement, [incarnation], 0).catch(() => undefined);
      health[Symbol.dispose]();
      await line.close();
      await opened.disposeAsync();
    },
  };
}

function reject(items: readonly QueuedItem[], fault: unknown): void {
  for (const { settled } of items) settled.reject(fault);
}

/** Whether a statement was rolled back because of its values. */
function isOfData(fault: unknown): boolean {
  return !(fault instanceof FenceLostError) && kindOf(fault) === "data";
}
