import { type ErrorCode, TroupeError } from "../protocol/errors.ts";

/** Codes of calls that were refused before a model read them. No vendor charges for these. */
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
 * Whether a failed call certainly costs nothing: its provider says so, or its code does. A call whose connection broke, or that a gateway
 * gave up, may still have been read.
 */
export function isUnread(thrown: unknown): boolean {
  return thrown instanceof TroupeError && (thrown.isUnread ?? refusedUnread.has(thrown.code));
}
