import type { Clock } from "../../ports/clock.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** When to try again: the server notices within this time that the storage works again. */
const retryAfterMs = 5_000;

/** The error for a caller whose read or write the storage refused. */
export function storageUnavailable(cause: unknown): TroupeError {
  return new TroupeError("storage_unavailable", { cause, retryAfterMs });
}

export interface OutageOptions {
  readonly clock: Clock;
  /** Writes in the same way as real work does; rejects if the storage does not take it. */
  readonly probe: () => Promise<unknown>;
  /** Called with the cause when the storage fails, and with `undefined` once it works again. */
  readonly onChange: (fault: Error | undefined) => void;
}

/** Tells whether the storage takes writes. An outage lasts from the first failed write until a probe succeeds. */
export interface Outages extends Disposable {
  /** Why writes are refused now; `undefined` while the storage works. */
  readonly fault: Error | undefined;
  fail(fault: Error): void;
  /** Settles when the storage works, at once if it works now. */
  recovered(): Promise<void>;
}

const firstProbeMs = 1_000;
const maxProbeMs = 5_000;

export function watchOutages({ clock, probe, onChange }: OutageOptions): Outages {
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
    for (let waitMs = firstProbeMs; ; waitMs = Math.min(2 * waitMs, maxProbeMs)) {
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
