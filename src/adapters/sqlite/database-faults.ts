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
