import type { Clock } from "../../ports/clock.ts";
import { FairQueue } from "../../ports/fair-shares.ts";
import { DatabaseFault, ThreadEndedError } from "./database-faults.ts";
import type { WorkerOptions } from "./open-database.ts";
import { startThread } from "./start-thread.ts";
import type { JobName, Read, Row, StatementName, Value, WorkerReply, WorkerRequest } from "./statements.ts";

/** The database's two threads. */
export interface DatabaseThreads {
  readonly writer: WorkerThread;
  readonly reader: WorkerThread;
  /** The number of the journal's newest row. */
  readonly lastBeat: number;
  close(): Promise<void>;
}

/** Starts the thread that writes, which creates and migrates the database, and then the thread that reads. */
export async function openThreads(options: Omit<WorkerOptions, "role">): Promise<DatabaseThreads> {
  const writer = await startWorker({ ...options, role: "writer" });
  try {
    const { found: [last] = [] } = await writer.call({ type: "read", reads: [["lastBeat"]] });
    const reader = await startWorker({ ...options, role: "reader", damages: writer.damages });
    return {
      writer,
      reader,
      lastBeat: Number(last?.[0]?.last ?? 0),
      async close() {
        await closeThread(reader);
        await closeThread(writer);
      },
    };
  } catch (fault) {
    // A leftover thread would keep the process alive.
    await writer.terminate();
    throw fault;
  }
}

/** Closes the connection and ends the thread. A thread that is gone has rejected its calls and has nothing left to close. */
async function closeThread(thread: WorkerThread): Promise<void> {
  if (thread.fault === undefined) await thread.call({ type: "close" });
  await thread.terminate();
}

/** The result of a call. */
export interface Reply {
  readonly rows: readonly Row[];
  /** Set while the job that the call started or continued has more to do. */
  readonly job?: number;
  /** The rows of each read, of a call that reads. */
  readonly found?: readonly (readonly Row[])[];
}

type Asked<R = WorkerRequest> = R extends WorkerRequest ? Omit<R, "call"> : never;

/** The store's side of a thread that has a connection to the database. */
export interface WorkerThread {
  /** A sentence for each part that was damaged when the thread opened the database. */
  readonly damages: readonly string[];
  /** Why the thread no longer answers; `undefined` while it does. */
  readonly fault: Error | undefined;
  call(asked: Asked): Promise<Reply>;
  terminate(): Promise<unknown>;
}

/** Starts the thread and waits until the database is open. */
async function startWorker(options: WorkerOptions): Promise<WorkerThread> {
  const worker = startThread(options);
  const calls = new Map<number, PromiseWithResolvers<Reply>>();
  const ready = Promise.withResolvers<readonly string[]>();
  let lastCall = 0;
  let fault: Error | undefined;

  function fail(error: Error): void {
    fault ??= error;
    ready.reject(error);
    for (const { reject } of calls.values()) reject(error);
    calls.clear();
  }

  function take(call: number): PromiseWithResolvers<Reply> | undefined {
    const settled = calls.get(call);
    calls.delete(call);
    return settled;
  }

  worker.on("message", (reply: WorkerReply) => {
    if (reply.type === "ready") ready.resolve(reply.damages);
    else if (reply.type === "done") take(reply.call)?.resolve(reply);
    else {
      const asked = reply.call === undefined ? ready : take(reply.call);
      asked?.reject(new DatabaseFault(reply.message, reply.errcode));
    }
  });
  worker.on("error", (cause) => fail(new ThreadEndedError("The database's thread has failed.", { cause })));
  worker.on("exit", () => fail(new ThreadEndedError("The database's thread has ended.")));
  const damages = await ready.promise.catch(async (fault: unknown) => {
    // The thread ends by itself, but a caller that sees this fault may rely on its end.
    await worker.terminate();
    throw fault;
  });

  return {
    damages,
    get fault() {
      return fault;
    },
    terminate: () => worker.terminate(),
    call(asked) {
      if (fault !== undefined) return Promise.reject(fault);
      lastCall += 1;
      const settled = Promise.withResolvers<Reply>();
      calls.set(lastCall, settled);
      worker.postMessage({ ...asked, call: lastCall } satisfies WorkerRequest);
      return settled.promise;
    },
  };
}

/**
 * Reads from the database, one message or slice at a time. The callers take turns, so a read waits for at most one message of each other
 * caller.
 */
export interface FairReader {
  /** Two reads that a caller makes in the same step travel together. */
  read(owner: string, name: StatementName, values: readonly Value[]): Promise<readonly Row[]>;
  /** Runs a job in slices. After `limitMs` the job stops and returns the rows found so far. */
  run(owner: string, name: JobName, values: readonly Value[], limitMs: number): Promise<readonly Row[]>;
}

/** Maximum reads in one message. A new request looks for a turn of its name and for its conversation. */
const readsPerTrip = 2;

interface QueuedRead {
  readonly read: Read;
  readonly settled: PromiseWithResolvers<readonly Row[]>;
}

export function createFairReader(thread: WorkerThread, clock: Clock): FairReader {
  const waiting = new FairQueue<() => Promise<void>>();
  /** The last message of each caller, while reads of this step may still join it. */
  const open = new Map<string, QueuedRead[]>();
  let isReading = false;

  async function readAll(): Promise<void> {
    if (isReading) return;
    isReading = true;
    for (let next = waiting.take(); next !== undefined; next = waiting.take()) await next();
    isReading = false;
  }

  /** Queues a call and settles with its outcome. */
  function inTurn<T>(owner: string, call: () => Promise<T>): Promise<T> {
    const settled = Promise.withResolvers<T>();
    waiting.add(owner, () => call().then(settled.resolve, settled.reject));
    void readAll();
    return settled.promise;
  }

  async function answer(trip: readonly QueuedRead[]): Promise<void> {
    try {
      const { found = [] } = await thread.call({ type: "read", reads: trip.map(({ read }) => read) });
      for (const [place, { settled }] of trip.entries()) settled.resolve(found[place] ?? []);
    } catch (fault) {
      if (trip.length === 1) trip[0]?.settled.reject(fault);
      // One damaged page must not fail the read beside it.
      else for (const single of trip) await answer([single]);
    }
  }

  /** Queues a message, which leaves once no other read of this step can join it. */
  function openTrip(owner: string): QueuedRead[] {
    const trip: QueuedRead[] = [];
    if (open.size === 0)
      process.nextTick(() => {
        open.clear();
        void readAll();
      });
    open.set(owner, trip);
    waiting.add(owner, () => {
      if (open.get(owner) === trip) open.delete(owner);
      return answer(trip);
    });
    return trip;
  }

  return {
    read(owner, name, values) {
      const begun = open.get(owner);
      const trip = begun !== undefined && begun.length < readsPerTrip ? begun : openTrip(owner);
      const settled = Promise.withResolvers<readonly Row[]>();
      trip.push({ read: [name, ...values], settled });
      return settled.promise;
    },
    async run(owner, name, values, limitMs) {
      const endsAtMs = clock.now() + limitMs;
      let reply = await inTurn(owner, () => thread.call({ type: "job", name, values }));
      while (reply.job !== undefined) {
        const { job } = reply;
        const type = clock.now() < endsAtMs ? "goOn" : "stop";
        reply = await inTurn(owner, () => thread.call({ type, job }));
      }
      return reply.rows;
    },
  };
}
