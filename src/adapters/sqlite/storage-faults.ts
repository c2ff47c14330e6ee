import { TroupeError } from "../../protocol/errors.ts";

/** Why a statement failed, as the database's thread tells it. */
export class DatabaseFault extends Error {
  override readonly name = "DatabaseFault";
  /** SQLite's code, where it was SQLite that failed. */
  readonly errcode: number | undefined;

  constructor(message: string, errcode?: number) {
    super(message);
    this.errcode = errcode;
  }
}

/** The thread is gone, and with it everything that it was asked. */
export class ThreadEndedError extends Error {
  override readonly name = "ThreadEndedError";
}

/**
 * The result codes that speak of the storage and not of the statement (SQLite, Result and Error Codes): PERM, BUSY, LOCKED, NOMEM,
 * READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
 */
const storageCodes: ReadonlySet<number> = new Set([3, 5, 6, 7, 8, 10, 11, 13, 14, 15, 26]);

/** Whether it is the storage that failed, so that anything else would have failed as well. */
export function isStorageFault(fault: unknown): fault is Error {
  if (fault instanceof ThreadEndedError) return true;
  return fault instanceof DatabaseFault && storageCodes.has(primaryCode(fault));
}

/** Whether the file holds something that SQLite cannot read: CORRUPT, NOTADB. Other parts of it may be whole. */
export function isDamage(fault: unknown): fault is DatabaseFault {
  return fault instanceof DatabaseFault && [11, 26].includes(primaryCode(fault));
}

/** Whether the file could not be looked at, for want of memory or of open files: NOMEM, CANTOPEN. It says nothing about the file. */
export function isFailedLook(fault: unknown): boolean {
  return [7, 14].includes(primaryCode(fault));
}

/** SQLite's primary result code; 0 for a fault that is not SQLite's. An extended code has it in its lowest byte. */
function primaryCode(fault: unknown): number {
  return fault instanceof Error && "errcode" in fault ? Number(fault.errcode ?? 0) & 0xff : 0;
}

/** When it makes sense to try again: as long as it can take until the storage is found to work again. */
const retryAfterMs = 5_000;

/** What whoever wanted to store or read something is told. */
export function storageUnavailable(cause: Error): TroupeError {
  return new TroupeError("storage_unavailable", { cause, retryAfterMs });
}

export function isStorageUnavailable(fault: unknown): fault is TroupeError {
  return fault instanceof TroupeError && fault.code === "storage_unavailable";
}
