import type { ErrorCode, TroupeError } from "../../protocol/errors.ts";
import type { VendorNames } from "../upstream/http-fault.ts";
import { fromPostFault, HttpFault } from "../upstream/post-json.ts";
import { fromStreamError } from "../upstream/stream-error.ts";

/** The types of errors (API reference, "Errors"), and spending limits, which the SDK's types name as details. */
const codes: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ["invalid_request_error", "upstream_invalid_request"],
  ["authentication_error", "upstream_auth"],
  ["permission_error", "upstream_auth"],
  ["billing_error", "quota_exceeded"],
  ["contract_spend_limit_reached", "quota_exceeded"],
  ["enforced_spend_limit_reached", "quota_exceeded"],
  ["request_too_large", "context_length_exceeded"],
  ["model_not_found", "model_not_found"],
  ["rate_limit_error", "rate_limited"],
  ["api_error", "upstream_error"],
  ["timeout_error", "upstream_error"],
  ["overloaded_error", "upstream_overloaded"],
]);

/** The parameters of a call. */
const parameters: ReadonlySet<string> = new Set([
  ...["max_tokens", "messages", "metadata", "model", "output_config", "service_tier", "stop_sequences"],
  ...["stream", "system", "temperature", "thinking", "tool_choice", "tools", "top_p"],
]);

const names: VendorNames = { codes, parameters };

/** The status of an overload; gateways send it without the API's body. */
const overloaded = 529;

/** Our error for one before the stream started. `nowMs` is the wall clock, for dates in `retry-after`. */
export function fromOpenFault(thrown: unknown, nowMs: number): TroupeError {
  if (!(thrown instanceof HttpFault)) return fromPostFault(thrown, names, nowMs);
  return fromPostFault(thrown, names, nowMs, codeOf(thrown));
}

/** The code of a refusal that its type does not tell. */
function codeOf({ status, type, error, message }: HttpFault): string | undefined {
  if (status === overloaded && type === undefined) return "overloaded_error";
  // `model: claude-9`; any other address that is not found is a wrong base URL.
  if (type === "not_found_error" && /^\d+ model\b/.test(message)) return "model_not_found";
  if (type === "invalid_request_error" && /\bcredit balance is too low\b/i.test(message))
    return "billing_error";
  const details = typeof error?.details === "object" ? error.details : undefined;
  const told = details === null || Array.isArray(details) ? undefined : details?.error_code;
  return typeof told === "string" && codes.has(told) ? told : undefined;
}

/** Our error for one inside the stream. */
export function fromEventFault(told: unknown): TroupeError {
  return fromStreamError(told, names);
}
