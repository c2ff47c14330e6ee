import { type ErrorCode, TroupeError } from "../protocol/errors.ts";

/** A call that failed with one of these was refused before a model read it, which no vendor charges for. */
const refusedUnread: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "upstream_auth",
  "upstream_invalid_request",
  "model_not_found",
  "context_length_exceeded",
  "previous_response_not_found",
  "rate_limited",
  "quota_exceeded",
  "upstream_unreachable",
]);

/**
 * Whether a call that failed so surely costs nothing: its provider says so, or its code does. A call whose connection broke, or
 * that a gateway gave up, may have been read all the same.
 */
export function isUnread(thrown: unknown): boolean {
  return thrown instanceof TroupeError && (thrown.isUnread ?? refusedUnread.has(thrown.code));
}
