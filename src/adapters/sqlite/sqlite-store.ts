import type { Clock } from "../../ports/clock.ts";
import type { LaneCheckpoint, TurnEvent } from "../../ports/turn-event.ts";
import { CommitQueue, type Gathered } from "./commit-queue.ts";
import { openThreads } from "./database-threads.ts";
import { createFairReader } from "./fair-reader.ts";
import { watchFiles } from "./file-watch.ts";
import type { WorkerOptions } from "./open-database.ts";
import type { JobName, Row, StatementName, Value, Write } from "./statements.ts";
import { isDamage, isStorageFault, isStorageUnavailable, storageUnavailable } from "./storage-faults.ts";
import { createStoreHealth } from "./store-health.ts";

export interface SqliteStoreOptions extends Omit<WorkerOptions, "role"> {
  readonly clock: Clock;
  /** Hears once when the storage cannot be written, with the cause, and once when it can again, without. */
  readonly onStorage: (fault: Error | undefined) => void;
  /** Hears at the start of what is damaged though the server can go on without it. */
  readonly onDamage?: (damage: string) => void;
}

/** The time in which what all turns say is gathered into one commit. */
const beatMs = 25;
/** How many beats pass between two prunings of the journal. */
const beatsPerPruning = 20;
/** The owner of the work that is the server's own. */
const server = "";

/** What one turn appended: its number, the first event's place, the events, and the checkpoints that stand behind them. */
export type JournalEntry = readonly [
  turn: number,
  firstSeq: number,
  events: readonly TurnEvent[],
  checkpoints?: readonly LaneCheckpoint[],
];

/** The store for one caller, or for the server itself. */
export interface OwnStore {
  /** Settles when the writes are committed, all or none. `turn`: it begins with them, and its events come no earlier. */
  write(writes: readonly Write[], urgent: boolean, turn?: number): Promise<void>;
  /** As `write`, within the next beat; where the storage cannot be written now, as soon as it can. */
  writeInTheEnd(writes: readonly Write[]): Promise<void>;
  /**
   * One slice of long work, a few milliseconds long: it is committed by itself, when no other commit waits or after one of those, and
   * in turns with the slices of others. Settles when it is committed.
   */
  writeSlice(writes: readonly Write[]): Promise<void>;
  /** Sees everything that was written before for this caller and by the server itself, committed or not. */
  read(name: StatementName, ...values: Value[]): Promise<readonly Row[]>;
  /** Runs a job in slices; after `limitMs` it ends with what it has found. */
  run(name: JobName, limitMs: number, ...values: Value[]): Promise<readonly Row[]>;
}

/**
 * The database, on two threads of its own: one connection writes and one reads, so that neither waits for the other. Writes are committed
 * together, in order, once a beat or at once where asked. No caller's work stops another's: commits end at a size, reads are
 * made one at a time, and the callers take turns. When the storage fails (a full disk, say), everything that is to be written is
 * refused with `storage_unavailable` until it works again, which is looked for in between; what can be read is read, and what cannot
 * is refused in the same way.
 */
export interface SqliteStore extends OwnStore, AsyncDisposable {
  /** Why nothing can be written now. */
  readonly fault: Error | undefined;
  /** The store for this caller. The store itself is the server's. */
  of(owner: string): OwnStore;
  /** Settles when it can be written, at once where it can. */
  recovered(): Promise<void>;
  /** Appends to the journal; settles when that is committed. */
  journal(entry: JournalEntry, urgent: boolean): Promise<void>;
  /** Settles when everything that was appended and written before is committed or refused. */
  flushed(): Promise<void>;
  /** The turn needs all that the journal holds of it, though it has not spoken since the start. */
  retain(turn: number): void;
  /** The turn needs the journal no more. */
  release(turn: number): void;
}

/** Opens the database, creating and migrating it. Rejects with one clear line where it cannot be used. */
export async function createSqliteStore({
  clock,
  onStorage,
  onDamage,
  ...options
}: SqliteStoreOptions): Promise<SqliteStore> {
  const threads = await openThreads(options);
  const { writer, reader } = threads;
  for (const damage of writer.damages) onDamage?.(damage);
  const watch = await watchFiles({
    clock,
    file: options.file,
    onLost: (fault) => health.fail(fault),
    reader,
  });
  const health = createStoreHealth({
    clock,
    probe: async () => {
      await watch.check();
      await writer.call({ type: "commit", writes: [["probe"], ["endProbe"]] });
    },
    onChange: onStorage,
  });
  const reads = createFairReader(reader, clock);
  const queue = new CommitQueue<JournalEntry>();
  const stopped = new AbortController();
  /** The beat in which each running turn spoke first. */
  const firstBeats = new Map<number, number>();
  /** The writes of each caller that are not settled. */
  const writing = new Map<string, Set<Promise<void>>>();
  let beat = threads.lastBeat;
  let committing: Promise<void> = Promise.resolve();
  let isCommitting = false;
  let waking = false;
  let isDue = false;

  /** Commits until nothing waits that is due; everything else waits for the beat. */
  async function commitAll(): Promise<void> {
    let wasSlice = false;
    for (;;) {
      const isTurn = isDue && !queue.isEmpty;
      if (!isTurn) isDue = false;
      // A slice has its turn after each commit, so that work in slices comes to an end on a busy server as well.
      if (queue.hasSlice && (!isTurn || !wasSlice)) {
        wasSlice = true;
        const slice = queue.takeSlice();
        if (slice !== undefined) await commit({ groups: [slice], entries: [] });
      } else if (isTurn) {
        wasSlice = false;
        await commit(queue.take());
      } else {
        // In the same step as the last look: what is added from here on starts again.
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

  async function commit({ groups, entries }: Gathered): Promise<void> {
    const parts = [...groups, ...entries];
    if (parts.length === 0) return;
    const fault = health.fault;
    if (fault !== undefined) {
      for (const { settled } of parts) settled.reject(storageUnavailable(fault));
      return;
    }
    const writes = groups.flatMap((group) => group.writes);
    if (entries.length > 0) writes.push(journalRow(entries));
    try {
      await writer.call({ type: "commit", writes });
      for (const { settled } of parts) settled.resolve();
    } catch (failure) {
      const isOutage = isStorageFault(failure) && !(isDamage(failure) && writer.damages.length > 0);
      if (isOutage) health.fail(failure);
      else if (parts.length > 1) return commitSingly({ groups, entries });
      for (const { settled } of parts) settled.reject(toRefusal(failure));
    }
  }

  /** What one caller writes may meet a damaged page, which is nothing to the others. */
  async function commitSingly({ groups, entries }: Gathered): Promise<void> {
    for (const group of groups) await commit({ groups: [group], entries: [] });
    for (const entry of entries) await commit({ groups: [], entries: [entry] });
  }

  function journalRow(entries: Gathered["entries"]): Write {
    beat += 1;
    for (const { entry } of entries) if (!firstBeats.has(entry[0])) firstBeats.set(entry[0], beat);
    if (beat % beatsPerPruning === 0) prune(Math.min(beat, ...firstBeats.values()));
    return ["journal", beat, `[${entries.map(({ text }) => text).join(",")}]`];
  }

  /** What is not pruned now, since the storage fails, is pruned the next time. */
  function prune(before: number): void {
    queue.addSlice([["pruneJournal", before]], server).catch(() => undefined);
  }

  /** Commits what waits, all of it. */
  async function flush(): Promise<void> {
    while (isCommitting || !queue.isEmpty) {
      isDue = true;
      await start();
    }
  }

  function schedule(urgent: boolean): void {
    if (urgent) {
      // What other turns have to say at the same moment goes with it.
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

    /** Settles when what was written before is there to be read. */
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
    of,
    recovered: health.recovered,
    journal(entry, urgent) {
      const journalled = queue.addEntry(entry);
      schedule(urgent);
      return journalled;
    },
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
