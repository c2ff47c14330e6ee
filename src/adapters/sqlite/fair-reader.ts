import type { Clock } from "../../ports/clock.ts";
import { FairQueue } from "../../ports/fair-queue.ts";
import type { JobName, Row, StatementName, Value } from "./statements.ts";
import type { WorkerThread } from "./worker-thread.ts";

/**
 * Reads in turns: one statement or slice is under way at a time, and the callers take turns, so that a caller's reads wait for at
 * most one of each other caller.
 */
export interface FairReader {
  read(owner: string, name: StatementName, values: readonly Value[]): Promise<readonly Row[]>;
  /** Runs a job by slices. After `limitMs` it ends with what it has found. */
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

  /** Settles with the call's outcome when it had its turn. */
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
