import type { Clock } from "../../ports/clock.ts";
import { FairQueue } from "../../ports/fair-queue.ts";
import type { WorkerThread } from "./database-threads.ts";
import type { JobName, Read, Row, StatementName, Value } from "./statements.ts";

/**
 * Reads from the database, one message or slice at a time. The callers take turns, so a read waits for at most one message of each other
 * caller.
 */
interface FairReader {
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
