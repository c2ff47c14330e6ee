import type { Clock } from "../../ports/clock.ts";
import type { LaneCheckpoint, TurnEvent } from "../../ports/turn-event.ts";
import type { WorkerOptions } from "./sqlite-worker.ts";
import type { Row, StatementName, Value, Write } from "./statements.ts";
import { isStorageFault, isStorageUnavailable, storageUnavailable } from "./storage-faults.ts";
import { createStoreHealth } from "./store-health.ts";
import { startWorker, type WorkerThread } from "./worker-thread.ts";

export interface SqliteStoreOptions extends WorkerOptions {
  readonly clock: Clock;
  /** Hears once when the storage cannot be written, with the cause, and once when it can again, without. */
  readonly onStorage: (fault: Error | undefined) => void;
}

/** The time in which what all turns say is gathered into one commit. */
const beatMs = 25;
/** How many beats pass between two prunings of the journal. */
const beatsPerPruning = 20;

/** What one turn appended: its number, the first event's place, the events, and the checkpoints that stand behind them. */
export type JournalEntry = readonly [
  turn: number,
  firstSeq: number,
  events: readonly TurnEvent[],
  checkpoints?: readonly LaneCheckpoint[],
];

/**
 * The database, behind a thread of its own. Writes are committed together, in order, once a beat or at once where asked. When the
 * storage fails (a full disk, say), everything that is to be written is refused with `storage_unavailable` until it works again,
 * which is looked for in between; what can be read is read, and what cannot is refused in the same way.
 */
export interface SqliteStore extends AsyncDisposable {
  /** Why nothing can be written now. */
  readonly fault: Error | undefined;
  /** Settles when it can be written, at once where it can. */
  recovered(): Promise<void>;
  /** Settles when the writes are committed, all or none. */
  write(writes: readonly Write[], urgent: boolean): Promise<void>;
  /** As `write`, within the next beat; where the storage cannot be written now, as soon as it can. */
  writeInTheEnd(writes: readonly Write[]): Promise<void>;
  /** Appends to the journal; settles when that is committed. */
  journal(entry: JournalEntry, urgent: boolean): Promise<void>;
  /** The turn needs all that the journal holds of it, though it has not spoken since the start. */
  retain(turn: number): void;
  /** The turn needs the journal no more. */
  release(turn: number): void;
  /** Sees everything that was written before, committed or not. */
  read(name: StatementName, ...values: Value[]): Promise<readonly Row[]>;
}

interface Pending {
  readonly writes: Write[];
  readonly entries: JournalEntry[];
  readonly settled: PromiseWithResolvers<void>;
}

/** Opens the database, creating and migrating it. Rejects with one clear line where it cannot be used. */
export async function createSqliteStore({
  clock,
  onStorage,
  ...options
}: SqliteStoreOptions): Promise<SqliteStore> {
  const thread = await startWorker(options);
  const health = createStoreHealth({
    clock,
    probe: () => thread.call({ type: "commit", writes: [["probe"], ["endProbe"]] }),
    onChange: onStorage,
  });
  const stopped = new AbortController();
  /** The beat in which each running turn spoke first. */
  const firstBeats = new Map<number, number>();
  let pending: Pending | undefined;
  let committing: Promise<void> = Promise.resolve();
  let beat = await readLastBeat(thread);
  let waking = false;
  let isFlushing = false;

  function gather(): Pending {
    pending ??= { writes: [], entries: [], settled: Promise.withResolvers<void>() };
    return pending;
  }

  /** Sends what is gathered; while one commit is under way the next is gathered. */
  async function flush(): Promise<void> {
    await committing;
    const gathered = pending;
    if (gathered === undefined) return;
    pending = undefined;
    const { writes, entries, settled } = gathered;
    if (health.fault !== undefined) return settled.reject(storageUnavailable(health.fault));
    if (entries.length > 0) {
      beat += 1;
      writes.push(["journal", beat, JSON.stringify(entries)]);
      for (const [turn] of entries) if (!firstBeats.has(turn)) firstBeats.set(turn, beat);
      if (beat % beatsPerPruning === 0) writes.push(["pruneJournal", Math.min(beat, ...firstBeats.values())]);
    }
    committing = thread.call({ type: "commit", writes }).then(
      () => settled.resolve(),
      (fault: unknown) => {
        if (isStorageFault(fault)) health.fail(fault);
        settled.reject(toRefusal(fault));
      },
    );
    await committing;
  }

  function flushAtOnce(): void {
    isFlushing = false;
    void flush();
  }

  function schedule(urgent: boolean): void {
    if (urgent) {
      // What other turns have to say at the same moment goes with it.
      if (!isFlushing) setImmediate(flushAtOnce);
      isFlushing = true;
    } else if (!waking) {
      waking = true;
      void clock.sleep(beatMs, stopped.signal).then(() => {
        waking = false;
        return flush();
      });
    }
  }

  function write(writes: readonly Write[], urgent: boolean): Promise<void> {
    const { writes: gathered, settled } = gather();
    gathered.push(...writes);
    schedule(urgent);
    return settled.promise;
  }

  return {
    get fault() {
      return health.fault;
    },
    recovered: health.recovered,
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
    journal(entry, urgent) {
      const { entries, settled } = gather();
      entries.push(entry);
      schedule(urgent);
      return settled.promise;
    },
    retain: (turn) => void firstBeats.set(turn, 0),
    release: (turn) => void firstBeats.delete(turn),
    async read(name, ...values) {
      if (pending !== undefined) await flush();
      return thread.call({ type: "read", name, values }).catch((fault: unknown) => {
        throw toRefusal(fault);
      });
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      health[Symbol.dispose]();
      await flush();
      // A thread that is gone has told everyone who waited for it, and has nothing left to close.
      if (thread.fault === undefined) await thread.call({ type: "close" });
      await thread.terminate();
    },
  };
}

async function readLastBeat(thread: WorkerThread): Promise<number> {
  try {
    return Number((await thread.call({ type: "read", name: "lastBeat", values: [] }))[0]?.last ?? 0);
  } catch (fault) {
    // A thread that is left behind would keep the process from ending.
    await thread.terminate();
    throw fault;
  }
}

function toRefusal(fault: unknown): unknown {
  return isStorageFault(fault) ? storageUnavailable(fault) : fault;
}
