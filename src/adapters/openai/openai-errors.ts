import { APIConnectionError, APIError } from "openai";
import type { ErrorCode, TroupeError } from "../../protocol/errors.ts";
import { responsesOptions } from "../../protocol/responses-options.ts";
import { fromConnectionError, fromRefusal, type VendorNames } from "../upstream/http-fault.ts";

/** The vendors' names for used-up credit (openai-node issue threads; platform error guide). A retry cannot help. */
const quotaCodes = [
  "insufficient_quota",
  "credit_balance_exhausted",
  "organization_spend_limit_exceeded",
  "project_spend_limit_exceeded",
  "organization_usage_limit_exceeded",
  // DeepSeek, Moonshot, Anthropic, gateways.
  "billing_hard_limit_reached",
  "billing_not_active",
  "billing_error",
  "insufficient_balance",
  "insufficient_user_quota",
  "exceeded_current_quota_error",
];

const codes: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ...quotaCodes.map((code) => [code, "quota_exceeded"] as const),
  ["context_length_exceeded", "context_length_exceeded"],
  ["exceed_context_size_error", "context_length_exceeded"],
  ["string_above_max_length", "context_length_exceeded"],
  ["request_too_large", "context_length_exceeded"],
  ["previous_response_not_found", "previous_response_not_found"],
  ["model_not_found", "model_not_found"],
  ["DeploymentNotFound", "model_not_found"],
  ["model_decommissioned", "model_not_found"],
  ["invalid_model", "model_not_found"],
  ["invalid_api_key", "upstream_auth"],
  ["authentication_error", "upstream_auth"],
  ["permission_error", "upstream_auth"],
  ["unsupported_country_region_territory", "upstream_auth"],
  ["rate_limit_exceeded", "rate_limited"],
  ["rate_limit_error", "rate_limited"],
  ["slow_down", "upstream_overloaded"],
  ["server_is_overloaded", "upstream_overloaded"],
  ["invalid_prompt", "upstream_invalid_request"],
  ["invalid_request_error", "upstream_invalid_request"],
  ["server_error", "upstream_error"],
]);

/** The parameters of a call. The rest of a parameter's path is indexes, or a name that the client chose. */
const parameters: ReadonlySet<string> = new Set([
  ...Object.keys(responsesOptions.shape),
  ...["input", "model", "previous_response_id", "stream", "tools"],
  // Names of Chat Completions for options of the client.
  ...["messages", "max_tokens", "max_completion_tokens", "reasoning_effort", "response_format"],
]);

export const openaiNames: VendorNames = { codes, parameters };

/** Our error for one that the SDK threw before the stream started. `nowMs` is the wall clock, for dates in `retry-after`. */
export function fromSdkError(thrown: unknown, nowMs: number): TroupeError {
  if (thrown instanceof APIConnectionError) return fromConnectionError(thrown.cause ?? thrown);
  if (!(thrown instanceof APIError) || typeof thrown.status !== "number") return fromConnectionError(thrown);
  const { status, headers, code, type, param, message, error } = thrown;
  return fromRefusal(
    { status, headers, code, type, param, message, error, cause: thrown },
    openaiNames,
    nowMs,
  );
}
