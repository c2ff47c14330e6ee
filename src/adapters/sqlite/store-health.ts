import type { Clock } from "../../ports/clock.ts";

export interface StoreHealthOptions {
  readonly clock: Clock;
  /** Writes something as real work does; rejects where that cannot be kept. */
  readonly probe: () => Promise<unknown>;
  /** Hears once when the storage fails, with the cause, and once when it works again, without. */
  readonly onChange: (fault: Error | undefined) => void;
}

/** Whether the storage takes what is written, from the first write that failed until a probe succeeds. */
export interface StoreHealth extends Disposable {
  /** Why nothing can be written now. */
  readonly fault: Error | undefined;
  fail(fault: Error): void;
  /** Settles when it can be written, at once where it can. */
  recovered(): Promise<void>;
}

const firstProbeMs = 1_000;
const longestProbeMs = 5_000;

export function createStoreHealth({ clock, probe, onChange }: StoreHealthOptions): StoreHealth {
  const stopped = new AbortController();
  let outage: { fault: Error; readonly over: PromiseWithResolvers<void> } | undefined;

  async function works(): Promise<boolean> {
    try {
      await probe();
      return true;
    } catch (fault) {
      if (outage !== undefined && fault instanceof Error) outage.fault = fault;
      return false;
    }
  }

  async function probeUntilItWorks(): Promise<void> {
    for (let waitMs = firstProbeMs; ; waitMs = Math.min(2 * waitMs, longestProbeMs)) {
      await clock.sleep(waitMs, stopped.signal);
      if (stopped.signal.aborted) return;
      if (await works()) break;
    }
    const over = outage?.over;
    outage = undefined;
    onChange(undefined);
    over?.resolve();
  }

  return {
    get fault() {
      return outage?.fault;
    },
    fail(fault) {
      if (outage !== undefined) return;
      outage = { fault, over: Promise.withResolvers() };
      onChange(fault);
      void probeUntilItWorks();
    },
    recovered: () => outage?.over.promise ?? Promise.resolve(),
    [Symbol.dispose]: () => stopped.abort(),
  };
}
