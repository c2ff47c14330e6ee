import { type ErrorCode, errorTable, TroupeError, type TroupeErrorOptions } from "../../protocol/errors.ts";

/** An error as `TroupeError.toJSON` writes it. */
interface StoredError extends Omit<TroupeErrorOptions, "cause"> {
  readonly troupe_error: string;
}

/** Parses events that `JSON.stringify` wrote and restores their errors. Throws a `SyntaxError` if the text is not JSON. */
export function parseEvents<T>(text: string): T {
  // A reviver makes parsing ten times slower, and a start parses the events of every running turn.
  if (!text.includes('"troupe_error"')) return JSON.parse(text) as T;
  return JSON.parse(text, (_, value: unknown) => (isStoredError(value) ? revive(value) : value)) as T;
}

function isStoredError(value: unknown): value is StoredError {
  return typeof value === "object" && value !== null && "troupe_error" in value;
}

/** A code that this version does not know becomes `internal_error`. */
function revive({ troupe_error: code, ...options }: StoredError): TroupeError {
  return new TroupeError(Object.hasOwn(errorTable, code) ? (code as ErrorCode) : "internal_error", options);
}
