import { Worker } from "node:worker_threads";
import type { WorkerOptions } from "./open-database.ts";
import type { Row, WorkerReply, WorkerRequest } from "./statements.ts";
import { DatabaseFault, ThreadEndedError } from "./store-health.ts";

/** The database's two threads. */
interface DatabaseThreads {
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
  const file = import.meta.url.endsWith(".ts") ? "./sqlite-worker.ts" : "./sqlite-worker.js";
  const worker = new Worker(new URL(file, import.meta.url), { workerData: options });
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
