import type { Clock } from "../../ports/clock.ts";
import { FairQueue } from "../../ports/fair-queue.ts";
import type { JobName, Row, StatementName, Value } from "./statements.ts";
import type { WorkerThread } from "./worker-thread.ts";

/**
 * Reads from the database, one statement or slice at a time. The callers take turns, so a read waits for at most one read of each other
 * caller.
 */
export interface FairReader {
  read(owner: string, name: StatementName, values: readonly Value[]): Promise<readonly Row[]>;
  /** Runs a job in slices. After `limitMs` the job stops and returns the rows found so far. */
  run(owner: string, name: JobName, values: readonly Value[], limitMs: number): Promise<readonly Row[]>;
}

export function createFairReader(thread: WorkerThread, clock: Clock): FairReader {
  const waiting = new FairQueue<() => Promise<void>>();
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

  return {
    read: async (owner, name, values) =>
      (await inTurn(owner, () => thread.call({ type: "read", name, values }))).rows,
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
