import type { WorkerOptions } from "./open-database.ts";
import { startWorker, type WorkerThread } from "./worker-thread.ts";

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
