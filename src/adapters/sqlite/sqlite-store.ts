import type { Clock } from "../../ports/clock.ts";
import { faultsOf, type Observer } from "../../ports/observer.ts";
import type { JournalEntry } from "../../ports/stored-turn.ts";
import { isStorageUnavailable } from "../../protocol/errors.ts";
import { type Outages, watchOutages } from "../database/commits.ts";
import { Committer, server, toRefusal } from "./committer.ts";
import { createFairReader, type FairReader, openThreads } from "./database-threads.ts";
import { watchFiles } from "./file-watch.ts";
import type { WorkerOptions } from "./open-database.ts";
import type { JobName, Row, StatementName, Value, Write } from "./statements.ts";

interface SqliteStoreOptions extends Omit<WorkerOptions, "role"> {
  readonly clock: Clock;
  /** Is told commits, failing storage, damaged parts, and faults of writes that no caller waits for. */
  readonly observer: Observer;
}

/** The store for one caller, or for the server itself. */
export interface OwnStore {
  /**
   * Commits the writes together or not at all, and settles when that is done. `turn` starts with them: its events are not committed
   * before.
   */
  write(writes: readonly Write[], urgent: boolean, turn?: number): Promise<void>;
  /** Commits the writes in the next beat; during a storage outage it waits and tries again. */
  writeInTheEnd(writes: readonly Write[]): Promise<void>;
  /**
   * Commits one slice of long work, a few milliseconds long. It gets a commit of its own, between other commits, and takes turns with the
   * slices of other callers. Settles when it is committed.
   */
  writeSlice(writes: readonly Write[]): Promise<void>;
  /** Reads rows. It sees all earlier writes of this caller and of the server: those still queued are committed first. */
  read(name: StatementName, ...values: Value[]): Promise<readonly Row[]>;
  /** Runs a job in slices. After `limitMs` the job stops and returns the rows found so far. */
  run(name: JobName, limitMs: number, ...values: Value[]): Promise<readonly Row[]>;
}

/**
 * The database, on two threads: one connection writes and one reads, so that neither waits for the other. Writes are committed together,
 * in order, once a beat, or at once if they are urgent. No caller's work holds up another's: commits are limited in size, reads are made
 * one at a time, and the callers take turns. When the storage fails (a full disk, for example), every write is refused with
 * `storage_unavailable` until a probe succeeds. Reads go on, and a read that fails is refused with the same code.
 */
export interface SqliteStore extends OwnStore, AsyncDisposable {
  /** Why writes are refused now; `undefined` while the storage works. */
  readonly fault: Error | undefined;
  /** Which conversations have another head since they were read. */
  readonly headMoves: HeadMoves;
  /** The store for this caller. Calls on the store itself are the server's. */
  of(owner: string): OwnStore;
  /** Settles when the storage works, at once if it works now. */
  recovered(): Promise<void>;
  /** Appends to the journal; settles when the entry is committed. */
  journal(entry: JournalEntry, urgent: boolean): Promise<void>;
  /** Tells the observer why a write failed that no caller waits for. */
  readonly report: (fault: unknown) => void;
  /** Settles when all earlier appends and writes are committed or refused. */
  flushed(): Promise<void>;
  /** Keeps all journal rows until `release`: the turn, left by an earlier process, may need any of them. */
  retain(turn: number): void;
  /** The turn no longer needs the journal. */
  release(turn: number): void;
}

/** Opens the database; creates and migrates it if needed. Rejects with one clear line if it cannot be used. */
export async function createSqliteStore({
  clock,
  observer,
  ...options
}: SqliteStoreOptions): Promise<SqliteStore> {
  const threads = await openThreads(options);
  const { writer, reader } = threads;
  for (const part of writer.damages) observer.storageChanged?.({ state: "damaged", part });
  const watch = await watchFiles({
    clock,
    file: options.file,
    onLost: (fault) => health.fail(fault),
    reader,
  });
  const health = watchOutages({
    clock,
    probe: async () => {
      await watch.check();
      await writer.call({ type: "commit", writes: [["probe"], ["endProbe"]] });
    },
    onChange: (error) =>
      observer.storageChanged?.(error === undefined ? { state: "working" } : { state: "failing", error }),
  });
  const reads = createFairReader(reader, clock);
  const closing = new AbortController();
  const committer = new Committer({ clock, observer, threads, health, closing: closing.signal });
  const of = storesOf({ committer, health, reads });

  return {
    get fault() {
      return health.fault;
    },
    ...of(server),
    headMoves: new HeadMoves(),
    of,
    recovered: health.recovered,
    journal: (entry, isUrgent) => committer.journal(entry, isUrgent),
    report: faultsOf(observer, "storage"),
    flushed: () => committer.flushed(),
    retain: (turn) => committer.retain(turn),
    release: (turn) => committer.release(turn),
    async [Symbol.asyncDispose]() {
      closing.abort();
      health[Symbol.dispose]();
      watch[Symbol.dispose]();
      await committer.flushed();
      await threads.close();
    },
  };
}

interface StoresOptions {
  readonly committer: Committer;
  readonly health: Outages;
  readonly reads: FairReader;
}

/** Makes the store of each caller. */
function storesOf({ committer, health, reads }: StoresOptions): (owner: string) => OwnStore {
  /** The unsettled writes of each caller. */
  const writing = new Map<string, Set<Promise<void>>>();

  /** Settles when a read would see all earlier writes of the server and of this caller. */
  async function written(owner: string): Promise<void> {
    const before = [server, owner].flatMap((one) => [...(writing.get(one) ?? [])]);
    if (before.length === 0) return;
    committer.hurry();
    await Promise.allSettled(before);
  }

  function write(owner: string, ...[writes, isUrgent, turn]: Parameters<OwnStore["write"]>): Promise<void> {
    const written = committer.write(writes, isUrgent, owner === server ? undefined : owner, turn);
    const unsettled = (writing.get(owner) ?? new Set()).add(written);
    writing.set(owner, unsettled);
    const settle = () => {
      unsettled.delete(written);
      if (unsettled.size === 0 && writing.get(owner) === unsettled) writing.delete(owner);
    };
    written.then(settle, settle);
    return written;
  }

  return (owner) => ({
    write: (...written) => write(owner, ...written),
    async writeInTheEnd(writes) {
      for (;;) {
        try {
          return await write(owner, writes, false);
        } catch (fault) {
          if (!isStorageUnavailable(fault)) throw fault;
          await health.recovered();
        }
      }
    },
    writeSlice: (writes) => committer.writeSlice(writes, owner),
    async read(name, ...values) {
      await written(owner);
      return reads.read(owner, name, values).catch(refuse);
    },
    async run(name, limitMs, ...values) {
      await written(owner);
      return reads.run(owner, name, values, limitMs).catch(refuse);
    },
  });
}

function refuse(fault: unknown): never {
  throw toRefusal(fault);
}

/** Older moves are forgotten, and then every path that was read before them counts as outdated. */
const maxMoves = 10_000;

/**
 * The conversations whose head was moved or that were removed lately, at the moment at which that write was queued. All such writes go
 * through one store, so a path that was read before can be compared without a look into the database.
 */
export class HeadMoves {
  /** The number of each conversation's last move, oldest first. */
  readonly #moves = new Map<string, number>();
  #last = 0;
  #forgotten = 0;

  /** The mark of a read that sees every write queued so far. */
  get version(): number {
    return this.#last;
  }

  /** Called in the same step in which the write is queued. */
  note(conversationId: string): void {
    this.#last += 1;
    this.#moves.delete(conversationId);
    this.#moves.set(conversationId, this.#last);
    if (this.#moves.size <= maxMoves) return;
    for (const [oldest, number] of this.#moves) {
      this.#moves.delete(oldest);
      this.#forgotten = number;
      return;
    }
  }

  /** Whether the conversation's head may have moved after the read with this mark. */
  hasMovedSince(version: number, conversationId: string): boolean {
    return (this.#moves.get(conversationId) ?? this.#forgotten) > version;
  }
}

/**
 * The total time that servers have run on this database. Retention is measured by it, because a wall clock can be set: one that jumps
 * ahead would expire everything at once.
 */
export interface ServedTime {
  /** Whole milliseconds. Never goes backwards, except that a crash loses the time since the last `keep`. */
  now(): number;
  /** The write that stores the time, so that the next server goes on from here. */
  keep(): Write;
}

export async function openServedTime(store: SqliteStore, clock: Clock): Promise<ServedTime> {
  const before = Number((await store.read("counter", "served_ms"))[0]?.value ?? 0);
  const startedAtMs = clock.now();
  const now = () => before + Math.floor(clock.now() - startedAtMs);
  return { now, keep: () => ["keepServedTime", now()] };
}
