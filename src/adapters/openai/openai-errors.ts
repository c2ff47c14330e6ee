import { APIConnectionError, APIError } from "openai";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";
import { responsesOptions } from "../../protocol/responses-options.ts";
import { NoConnectionError, NotAnAnswerError } from "../upstream/upstream-call.ts";

/** Used-up credit under its several names (openai-node issue threads; platform error guide): trying again cannot help. */
const quotaCodes = new Set([
  "insufficient_quota",
  "credit_balance_exhausted",
  "organization_spend_limit_exceeded",
  "project_spend_limit_exceeded",
  "organization_usage_limit_exceeded",
]);

const codes: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ["context_length_exceeded", "context_length_exceeded"],
  ["previous_response_not_found", "previous_response_not_found"],
  ["model_not_found", "model_not_found"],
  ["invalid_api_key", "upstream_auth"],
  ["rate_limit_exceeded", "rate_limited"],
  ["rate_limit_error", "rate_limited"],
  ["slow_down", "upstream_overloaded"],
  ["server_is_overloaded", "upstream_overloaded"],
  ["invalid_prompt", "upstream_invalid_request"],
  ["invalid_request_error", "upstream_invalid_request"],
  ["server_error", "upstream_error"],
]);

/** Our code for one of the vendor's own codes or types. */
export function byVendorCode(code: string | null | undefined): ErrorCode | undefined {
  if (code == null) return undefined;
  return quotaCodes.has(code) ? "quota_exceeded" : codes.get(code);
}

/** The vendor's own words for a call that it did not take on, under whatever status. */
const refusedCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "upstream_auth",
  "model_not_found",
  "context_length_exceeded",
  "previous_response_not_found",
  "rate_limited",
  "quota_exceeded",
  "upstream_overloaded",
]);

/**
 * Whether no model has read a call that was answered with this status. Any 4xx is a check before the model, except a time-out (408)
 * and a conflict (409), which may come after it has begun. So may every 5xx: gateways answer 502, 503 and 504 for calls
 * that they had passed on. Only the vendor's own code for "overloaded" says that it was not.
 */
function isUnreadStatus(status: number, vendorCode: ErrorCode | undefined): boolean {
  if (vendorCode !== undefined && refusedCodes.has(vendorCode)) return true;
  return status >= 300 && status < 500 && status !== 408 && status !== 409;
}

export function byStatus(status: number): ErrorCode {
  if (status === 401 || status === 403) return "upstream_auth";
  if (status === 429) return "rate_limited";
  if (status === 503) return "upstream_overloaded";
  if (status === 408 || status >= 500) return "upstream_error";
  if (status >= 300 && status < 400) return "upstream_invalid";
  return "upstream_invalid_request";
}

/** What went wrong before the stream began, from what the SDK threw. `nowMs` is the wall clock, for dates in `retry-after`. */
export function fromSdkError(thrown: unknown, nowMs: number): TroupeError {
  if (thrown instanceof APIConnectionError) return fromConnectionError(thrown.cause ?? thrown);
  if (!(thrown instanceof APIError) || typeof thrown.status !== "number") return fromConnectionError(thrown);
  const { status, headers } = thrown;
  // Nearly every refusal has this type; the status says more.
  const type = thrown.type === "invalid_request_error" ? undefined : thrown.type;
  const vendorCode = byVendorCode(thrown.code) ?? byVendorCode(type);
  const code = vendorCode ?? byStatus(status);
  const retryAfterMs = retryAfter(headers, nowMs);
  return new TroupeError(code, {
    ...paramDetail(thrown.param ?? undefined),
    cause: thrown,
    safeToRepeat: code !== "quota_exceeded" && isRepeatable(status, headers),
    isUnread: isUnreadStatus(status, vendorCode),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/**
 * The call never got an answer, which is safe to repeat; what is not HTTP would come again. Only a call for which no
 * connection came about was surely not read.
 */
export function fromConnectionError(cause: unknown): TroupeError {
  const code = (cause as { code?: unknown } | undefined)?.code;
  if (cause instanceof NotAnAnswerError || (typeof code === "string" && code.startsWith("HPE_")))
    return new TroupeError("upstream_invalid", { cause });
  const broke = code === "ECONNRESET" || code === "EPIPE";
  return new TroupeError(broke ? "upstream_disconnected" : "upstream_unreachable", {
    cause,
    safeToRepeat: true,
    isUnread: cause instanceof NoConnectionError,
  });
}

/** The statuses that the SDK itself would retry; the vendor's own header overrules them. */
function isRepeatable(status: number, headers: Headers | undefined): boolean {
  const told = headers?.get("x-should-retry");
  if (told === "true") return true;
  if (told === "false") return false;
  return isRepeatableStatus(status);
}

export function isRepeatableStatus(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date to come; anything else counts as absent. */
function retryAfter(headers: Headers | undefined, nowMs: number): number | undefined {
  const inMs = number(headers?.get("retry-after-ms"));
  if (inMs !== undefined) return inMs;
  const value = headers?.get("retry-after");
  const seconds = number(value);
  if (seconds !== undefined) return seconds * 1000;
  const date = value == null || /^[-\d.\s]*$/.test(value) ? Number.NaN : Date.parse(value);
  return date >= nowMs ? date - nowMs : undefined;
}

function number(value: string | null | undefined): number | undefined {
  return value != null && /^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : undefined;
}

/** The parameters that a call can have; what stands behind their names in a path is figures, or a name in the client's own words. */
const parameters: ReadonlySet<string> = new Set([
  ...Object.keys(responsesOptions.shape),
  ...["input", "model", "previous_response_id", "stream", "tools"],
]);

/** The vendor's name of the parameter at fault helps a developer and gives nothing away. One that no call has is nobody's name. */
export function paramDetail(param: string | undefined): { detail?: string } {
  if (param === undefined || !/^[a-z0-9_.[\]]{1,80}$/i.test(param)) return {};
  return parameters.has(param.split(/[.[]/, 1)[0] ?? "") ? { detail: `Parameter: ${param}.` } : {};
}
