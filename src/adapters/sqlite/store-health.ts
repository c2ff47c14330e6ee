import type { Clock } from "../../ports/clock.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** The failure of a statement, as the database's thread reports it. */
export class DatabaseFault extends Error {
  override readonly name = "DatabaseFault";
  /** SQLite's result code, if SQLite failed. */
  readonly errcode: number | undefined;

  constructor(message: string, errcode?: number) {
    super(message);
    this.errcode = errcode;
  }
}

/** The thread is gone, and with it every call that was under way. */
export class ThreadEndedError extends Error {
  override readonly name = "ThreadEndedError";
}

/**
 * Result codes about the storage and not about the statement (SQLite, Result and Error Codes): PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR,
 * CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
 */
const storageCodes: ReadonlySet<number> = new Set([3, 5, 6, 7, 8, 10, 11, 13, 14, 15, 26]);

/** Whether the storage failed, so that any other statement would have failed as well. */
export function isStorageFault(fault: unknown): fault is Error {
  if (fault instanceof ThreadEndedError) return true;
  return fault instanceof DatabaseFault && storageCodes.has(primaryCode(fault));
}

/** Whether SQLite cannot read a part of the file: CORRUPT, NOTADB. Other parts may be intact. */
export function isDamage(fault: unknown): fault is DatabaseFault {
  return fault instanceof DatabaseFault && [11, 26].includes(primaryCode(fault));
}

/** Whether the file could not be examined, for lack of memory or of open files: NOMEM, CANTOPEN. It says nothing about the file. */
export function isFailedLook(fault: unknown): boolean {
  return [7, 14].includes(primaryCode(fault));
}

/** SQLite's primary result code, which is the lowest byte of an extended code; 0 if the fault is not SQLite's. */
function primaryCode(fault: unknown): number {
  return fault instanceof Error && "errcode" in fault ? Number(fault.errcode ?? 0) & 0xff : 0;
}

/** When to try again: the server notices within this time that the storage works again. */
const retryAfterMs = 5_000;

/** The error for a caller whose read or write the storage refused. */
export function storageUnavailable(cause: Error): TroupeError {
  return new TroupeError("storage_unavailable", { cause, retryAfterMs });
}

interface StoreHealthOptions {
  readonly clock: Clock;
  /** Writes in the same way as real work does; rejects if the storage does not take it. */
  readonly probe: () => Promise<unknown>;
  /** Called with the cause when the storage fails, and with `undefined` once it works again. */
  readonly onChange: (fault: Error | undefined) => void;
}

/** Tells whether the storage works. An outage lasts from the first failed write until a probe succeeds. */
interface StoreHealth extends Disposable {
  /** Why writes are refused now; `undefined` while the storage works. */
  readonly fault: Error | undefined;
  fail(fault: Error): void;
  /** Settles when the storage works, at once if it works now. */
  recovered(): Promise<void>;
}

const firstProbeMs = 1_000;
const maxProbeMs = 5_000;

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
