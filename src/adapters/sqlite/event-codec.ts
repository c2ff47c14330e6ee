import { type ErrorCode, errorTable, TroupeError, type TroupeErrorOptions } from "../../protocol/errors.ts";

/** What `TroupeError.toJSON` writes. */
interface StoredError extends Omit<TroupeErrorOptions, "cause"> {
  readonly troupe_error: string;
}

/** Reads events that `JSON.stringify` wrote; errors become errors again. Throws a `SyntaxError` for what is no JSON. */
export function parseEvents<T>(text: string): T {
  // Looking at every value takes ten times as long as reading it, and at a start all that ran is read.
  if (!text.includes('"troupe_error"')) return JSON.parse(text) as T;
  return JSON.parse(text, (_, value: unknown) => (isStoredError(value) ? revive(value) : value)) as T;
}

function isStoredError(value: unknown): value is StoredError {
  return typeof value === "object" && value !== null && "troupe_error" in value;
}

/** A code that this version does not know any more is an internal error to its clients. */
function revive({ troupe_error: code, ...options }: StoredError): TroupeError {
  return new TroupeError(Object.hasOwn(errorTable, code) ? (code as ErrorCode) : "internal_error", options);
}
