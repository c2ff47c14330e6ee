import pg from "pg";
import { storageUnavailable } from "../database/commits.ts";

/** The database cannot be used, for a reason that the server found itself. The message is one line for the operator. */
export class DatabaseFault extends Error {
  override readonly name = "DatabaseFault";
}

/** Whether a start that failed may succeed later. Only a refusal that the server itself has found, without a cause, stays so. */
export function mayStartLater(fault: unknown): boolean {
  return !(fault instanceof DatabaseFault) || fault.cause !== undefined;
}

/** The message of a `FenceLostError`. */
export const takenOver = "other nodes have taken over the turns of this one";

/** Other nodes have taken over the turns of this one, which must not write any more. */
export class FenceLostError extends Error {
  override readonly name = "FenceLostError";
}

/**
 * The kinds of a statement's failure:
 * - `again`: it may have been committed or not, or it was rolled back for a reason that passes, so it is sent again;
 * - `data`: it was rolled back because of its values (SQLSTATE classes 22, 23 and 54), so others may succeed;
 * - `storage`: it was rolled back, and any other would be as well (a full disk, for example).
 */
export type FaultKind = "again" | "data" | "storage";

/** Classes: connection, rollback, too many connections, operator's intervention (also a timeout), system error. */
const passing = /^(08|40|57|58)/;
/** Too many connections; a primary that became a standby. */
const passingCodes: ReadonlySet<string> = new Set(["53300", "25006", "55P03"]);

export function kindOf(fault: unknown): FaultKind {
  // Only the server's own answer says that the statement was rolled back.
  const code = sqlState(fault);
  if (code === undefined) return "again";
  if (/^(22|23|54)/.test(code)) return "data";
  return passing.test(code) || passingCodes.has(code) ? "again" : "storage";
}

export function isLockTimeout(fault: unknown): boolean {
  return sqlState(fault) === "55P03";
}

/** The code of the server's answer; `undefined` if the connection failed instead. */
function sqlState(fault: unknown): string | undefined {
  return fault instanceof pg.DatabaseError ? fault.code : undefined;
}

/** The error for the caller of a failed statement: its own fault, or `storage_unavailable` if others would have failed as well. */
export function toRefusal(fault: unknown): unknown {
  return kindOf(fault) === "data" ? fault : storageUnavailable(fault);
}
