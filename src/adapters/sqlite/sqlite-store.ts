import type { Clock } from "../../ports/clock.ts";
import { faultsOf, type Observer } from "../../ports/observer.ts";
import type { JournalEntry } from "../../ports/stored-turn.ts";
import { isStorageUnavailable } from "../../protocol/errors.ts";
import { storageUnavailable, watchOutages } from "../database/outages.ts";
import { bytesOf, CommitQueue, type Gathered } from "./commit-queue.ts";
import { isDamage, isStorageFault } from "./database-faults.ts";
import { createFairReader, openThreads } from "./database-threads.ts";
import { watchFiles } from "./file-watch.ts";
import { HeadMoves } from "./message-writes.ts";
import type { WorkerOptions } from "./open-database.ts";
import type { JobName, Row, StatementName, Value, Write } from "./statements.ts";

interface SqliteStoreOptions extends Omit<WorkerOptions, "role"> {
  readonly clock: Clock;
  /** Is told commits, failing storage, damaged parts, and faults of writes that no caller waits for. */
  readonly observer: Observer;
}

/** Writes of all turns that are not urgent are gathered for this time and committed together. */
const beatMs = 25;
/** The journal is pruned once in this many beats. */
const beatsPerPruning = 20;
/** The owner name of the server's own work. */
const server = "";

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
  const queue = new CommitQueue<JournalEntry>();
  const stopped = new AbortController();
  /** The beat of each running turn's first append. */
  const firstBeats = new Map<number, number>();
  /** The unsettled writes of each caller. */
  const writing = new Map<string, Set<Promise<void>>>();
  let beat = threads.lastBeat;
  let committing: Promise<void> = Promise.resolve();
  let isCommitting = false;
  let waking = false;
  let isDue = false;

  /** Commits all work that is due; the rest waits for the beat. */
  async function commitAll(): Promise<void> {
    let wasSlice = false;
    for (;;) {
      const isTurn = isDue && !queue.isEmpty;
      if (!isTurn) isDue = false;
      // One slice follows each commit, so that sliced work gets done on a busy server as well.
      if (queue.hasSlice && (!isTurn || !wasSlice)) {
        wasSlice = true;
        const slice = queue.takeSlice();
        if (slice !== undefined) await commit({ groups: [slice], entries: [] });
      } else if (isTurn) {
        wasSlice = false;
        await commit(queue.take());
      } else {
        // Cleared in the same step as the last check, so that any later write starts a new run.
        isCommitting = false;
        return;
      }
    }
  }

  function start(): Promise<void> {
    if (!isCommitting) {
      isCommitting = true;
      committing = commitAll();
    }
    return committing;
  }

  async function commit({ groups, entries }: Gathered<JournalEntry>): Promise<void> {
    const parts = [...groups, ...entries];
    if (parts.length === 0) return;
    const fault = health.fault;
    if (fault !== undefined) {
      for (const { settled } of parts) settled.reject(storageUnavailable(fault));
      return;
    }
    const writes = groups.flatMap((group) => group.writes);
    if (entries.length > 0) writes.push(journalRow(entries));
    const startedAtMs = observer.committed === undefined ? 0 : clock.now();
    try {
      await writer.call({ type: "commit", writes });
      observer.committed?.({
        events: entries.reduce((sum, { entry: [, , events] }) => sum + events.length, 0),
        bytes: bytesOf(writes),
        durationMs: clock.now() - startedAtMs,
      });
      for (const { settled } of parts) settled.resolve();
    } catch (failure) {
      const isOutage = isStorageFault(failure) && !(isDamage(failure) && writer.damages.length > 0);
      if (isOutage) health.fail(failure);
      else if (parts.length > 1) return commitSingly({ groups, entries });
      for (const { settled } of parts) settled.reject(toRefusal(failure));
    }
  }

  /** Commits each part by itself: one caller's write may hit a damaged page, which must not fail the others. */
  async function commitSingly({ groups, entries }: Gathered<JournalEntry>): Promise<void> {
    for (const group of groups) await commit({ groups: [group], entries: [] });
    for (const entry of entries) await commit({ groups: [], entries: [entry] });
  }

  function journalRow(entries: Gathered<JournalEntry>["entries"]): Write {
    beat += 1;
    for (const { entry } of entries) if (!firstBeats.has(entry[0])) firstBeats.set(entry[0], beat);
    if (beat % beatsPerPruning === 0) prune(Math.min(beat, ...firstBeats.values()));
    return ["journal", beat, `[${entries.map(({ text }) => text).join(",")}]`];
  }

  /** If the storage fails now, the next pruning deletes these rows. */
  function prune(before: number): void {
    queue.addSlice([["pruneJournal", before]], server).catch(() => undefined);
  }

  /** Commits everything that waits. */
  async function flush(): Promise<void> {
    while (isCommitting || !queue.isEmpty) {
      isDue = true;
      await start();
    }
  }

  function schedule(urgent: boolean): void {
    if (urgent) {
      // Appends of other turns at the same moment join this commit.
      if (!isDue) setImmediate(start);
      isDue = true;
    } else if (!waking) {
      waking = true;
      void clock.sleep(beatMs, stopped.signal).then(() => {
        waking = false;
        isDue = true;
        return start();
      });
    }
  }

  function of(owner: string): OwnStore {
    const own = owner === server ? undefined : owner;

    function write(writes: readonly Write[], urgent: boolean, turn?: number): Promise<void> {
      const written = queue.add(writes, own, turn);
      const unsettled = (writing.get(owner) ?? new Set()).add(written);
      writing.set(owner, unsettled);
      const settle = () => {
        unsettled.delete(written);
        if (unsettled.size === 0 && writing.get(owner) === unsettled) writing.delete(owner);
      };
      written.then(settle, settle);
      schedule(urgent);
      return written;
    }

    /** Settles when a read would see all earlier writes of the server and of this caller. */
    async function written(): Promise<void> {
      const before = [server, owner].flatMap((who) => [...(writing.get(who) ?? [])]);
      if (before.length === 0) return;
      schedule(true);
      await Promise.allSettled(before);
    }

    return {
      write,
      async writeInTheEnd(writes) {
        for (;;) {
          try {
            return await write(writes, false);
          } catch (fault) {
            if (!isStorageUnavailable(fault)) throw fault;
            await health.recovered();
          }
        }
      },
      writeSlice(writes) {
        const sliced = queue.addSlice(writes, owner);
        void start();
        return sliced;
      },
      async read(name, ...values) {
        await written();
        return reads.read(owner, name, values).catch(refuse);
      },
      async run(name, limitMs, ...values) {
        await written();
        return reads.run(owner, name, values, limitMs).catch(refuse);
      },
    };
  }

  return {
    get fault() {
      return health.fault;
    },
    ...of(server),
    headMoves: new HeadMoves(),
    of,
    recovered: health.recovered,
    journal(entry, urgent) {
      const journalled = queue.addEntry(entry);
      schedule(urgent);
      return journalled;
    },
    report: faultsOf(observer, "storage"),
    flushed: flush,
    retain: (turn) => void firstBeats.set(turn, 0),
    release: (turn) => void firstBeats.delete(turn),
    async [Symbol.asyncDispose]() {
      stopped.abort();
      health[Symbol.dispose]();
      watch[Symbol.dispose]();
      await flush();
      await threads.close();
    },
  };
}

function refuse(fault: unknown): never {
  throw toRefusal(fault);
}

function toRefusal(fault: unknown): unknown {
  return isStorageFault(fault) ? storageUnavailable(fault) : fault;
}
