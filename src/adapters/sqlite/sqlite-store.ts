import { Worker } from "node:worker_threads";
import type { Clock } from "../../ports/clock.ts";
import type { LaneCheckpoint, TurnEvent } from "../../ports/turn-event.ts";
import type { WorkerOptions } from "./sqlite-worker.ts";
import type { Row, StatementName, Value, WorkerReply, WorkerRequest, Write } from "./statements.ts";

export interface SqliteStoreOptions extends WorkerOptions {
  readonly clock: Clock;
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

/** The database, behind a thread of its own. Writes are committed together, in order, once a beat or at once where asked. */
export interface SqliteStore extends AsyncDisposable {
  /** Settles when the writes are committed, all or none. */
  write(writes: readonly Write[], urgent: boolean): Promise<void>;
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
export async function createSqliteStore({ clock, ...options }: SqliteStoreOptions): Promise<SqliteStore> {
  const { thread, call } = await startWorker(options);
  const stopped = new AbortController();
  /** The beat in which each running turn spoke first. */
  const firstBeats = new Map<number, number>();
  let pending: Pending | undefined;
  let committing: Promise<void> = Promise.resolve();
  let beat = await lastBeat();
  let waking = false;

  async function lastBeat(): Promise<number> {
    try {
      return Number((await call({ type: "read", name: "lastBeat", values: [] }))[0]?.last ?? 0);
    } catch (fault) {
      // A thread that is left behind would keep the process from ending.
      await thread.terminate();
      throw fault;
    }
  }

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
    if (entries.length > 0) {
      beat += 1;
      writes.push(["journal", beat, JSON.stringify(entries)]);
      for (const [turn] of entries) if (!firstBeats.has(turn)) firstBeats.set(turn, beat);
      if (beat % beatsPerPruning === 0) writes.push(["pruneJournal", Math.min(beat, ...firstBeats.values())]);
    }
    committing = call({ type: "commit", writes }).then(
      () => settled.resolve(),
      (error: unknown) => settled.reject(error),
    );
    await committing;
  }

  function schedule(urgent: boolean): void {
    if (urgent) {
      void flush();
    } else if (!waking) {
      waking = true;
      void clock.sleep(beatMs, stopped.signal).then(() => {
        waking = false;
        return flush();
      });
    }
  }

  return {
    write(writes, urgent) {
      const { writes: gathered, settled } = gather();
      gathered.push(...writes);
      schedule(urgent);
      return settled.promise;
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
      return call({ type: "read", name, values });
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await flush();
      // A thread that is gone has told everyone who waited for it, and has nothing left to close.
      if (thread.fault === undefined) await call({ type: "close" });
      await thread.terminate();
    },
  };
}

type Asked<R = WorkerRequest> = R extends WorkerRequest ? Omit<R, "call"> : never;

/** Starts the thread and waits until the database is open. */
async function startWorker(options: WorkerOptions) {
  const file = import.meta.url.endsWith(".ts") ? "./sqlite-worker.ts" : "./sqlite-worker.js";
  const worker = new Worker(new URL(file, import.meta.url), { workerData: options });
  const calls = new Map<number, PromiseWithResolvers<readonly Row[]>>();
  const ready = Promise.withResolvers<void>();
  let lastCall = 0;
  let fault: Error | undefined;

  function fail(error: Error): void {
    fault ??= error;
    ready.reject(error);
    for (const { reject } of calls.values()) reject(error);
    calls.clear();
  }

  worker.on("message", (reply: WorkerReply) => {
    if (reply.type === "ready") return ready.resolve();
    if (reply.type === "done") {
      calls.get(reply.call)?.resolve(reply.rows);
      calls.delete(reply.call);
      return;
    }
    const error = Object.assign(new Error(reply.message), { name: reply.name });
    if (reply.call === undefined) return ready.reject(error);
    calls.get(reply.call)?.reject(error);
    calls.delete(reply.call);
  });
  worker.on("error", fail);
  worker.on("exit", () => fail(new Error("The database's thread has ended.")));
  await ready.promise;

  return {
    thread: {
      /** Why the thread answers no more. */
      get fault() {
        return fault;
      },
      terminate: () => worker.terminate(),
    },
    call(asked: Asked): Promise<readonly Row[]> {
      if (fault !== undefined) return Promise.reject(fault);
      lastCall += 1;
      const settled = Promise.withResolvers<readonly Row[]>();
      calls.set(lastCall, settled);
      worker.postMessage({ ...asked, call: lastCall } satisfies WorkerRequest);
      return settled.promise;
    },
  };
}
