import type { Clock } from "../../ports/clock.ts";

export interface StoreHealthOptions {
  readonly clock: Clock;
  /** Commits as real work does; rejects if the database does not take it. Called only while the database refuses all writes. */
  readonly probe: () => Promise<unknown>;
  /** Called with the cause when the database fails, and with `undefined` once it works again. */
  readonly onChange: (fault: Error | undefined) => void;
}

/** Tells whether the database works. */
export interface StoreHealth extends Disposable {
  /** Why no turn may begin now; `undefined` while the database works. */
  readonly fault: Error | undefined;
  /** Why every write is refused; `undefined` if writes wait or are committed. */
  readonly refusing: Error | undefined;
  /** A commit is late, for this reason; without one, it was made. */
  delay(fault: Error | undefined): void;
  /** The database refuses all writes, until a probe succeeds. */
  refuse(fault: Error): void;
  /** Settles when writes are not refused, at once if they are not refused now. */
  recovered(): Promise<void>;
}

const firstProbeMs = 1_000;
const longestProbeMs = 5_000;

export function createStoreHealth({ clock, probe, onChange }: StoreHealthOptions): StoreHealth {
  const stopped = new AbortController();
  let delayed: Error | undefined;
  let outage: { fault: Error; readonly over: PromiseWithResolvers<void> } | undefined;
  let told: Error | undefined;

  function tell(): void {
    const fault = outage?.fault ?? delayed;
    if ((fault === undefined) !== (told === undefined)) onChange(fault);
    told = fault;
  }

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
    tell();
    over?.resolve();
  }

  return {
    get fault() {
      return outage?.fault ?? delayed;
    },
    get refusing() {
      return outage?.fault;
    },
    delay(fault) {
      delayed = fault;
      tell();
    },
    refuse(fault) {
      if (outage !== undefined) return;
      outage = { fault, over: Promise.withResolvers() };
      tell();
      void probeUntilItWorks();
    },
    recovered: () => outage?.over.promise ?? Promise.resolve(),
    [Symbol.dispose]: () => stopped.abort(),
  };
}
