import type { Clock } from "../../ports/clock.ts";

export interface StoreHealthOptions {
  readonly clock: Clock;
  /** Writes in the same way as real work does; rejects if the storage does not take it. */
  readonly probe: () => Promise<unknown>;
  /** Called with the cause when the storage fails, and with `undefined` once it works again. */
  readonly onChange: (fault: Error | undefined) => void;
}

/** Tells whether the storage works. An outage lasts from the first failed write until a probe succeeds. */
export interface StoreHealth extends Disposable {
  /** Why writes are refused now; `undefined` while the storage works. */
  readonly fault: Error | undefined;
  fail(fault: Error): void;
  /** Settles when the storage works, at once if it works now. */
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
