import { isObject, type JsonObject, objectsIn } from "../../ports/json.ts";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";
import { fromConnectionError, fromRefusal, type VendorNames } from "../upstream/http-fault.ts";
import { HttpFault } from "../upstream/post-json.ts";
import { fromStreamError } from "../upstream/stream-error.ts";

/** Our word for a quota that stays used up until the next day. */
const dailyQuota = "DAILY_QUOTA";

/** Google's names of errors (`google.rpc.Code`), and reasons of their details. */
const codes: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ["API_KEY_INVALID", "upstream_auth"],
  ["API_KEY_SERVICE_BLOCKED", "upstream_auth"],
  ["SERVICE_DISABLED", "upstream_auth"],
  ["UNAUTHENTICATED", "upstream_auth"],
  ["PERMISSION_DENIED", "upstream_auth"],
  // "User location is not supported for the API use."
  ["FAILED_PRECONDITION", "upstream_auth"],
  ["INVALID_ARGUMENT", "upstream_invalid_request"],
  ["OUT_OF_RANGE", "upstream_invalid_request"],
  ["NOT_FOUND", "model_not_found"],
  ["RESOURCE_EXHAUSTED", "rate_limited"],
  [dailyQuota, "quota_exceeded"],
  ["UNAVAILABLE", "upstream_overloaded"],
  ["INTERNAL", "upstream_error"],
  ["UNKNOWN", "upstream_error"],
  ["ABORTED", "upstream_error"],
  ["CANCELLED", "upstream_error"],
  ["DEADLINE_EXCEEDED", "upstream_error"],
]);

/** The fields of a request, in both of the ways in which the API writes them. */
const parameters: ReadonlySet<string> = new Set([
  ...["contents", "model", "tools", "systemInstruction", "system_instruction"],
  ...["toolConfig", "tool_config", "generationConfig", "generation_config"],
]);

const names: VendorNames = { codes, parameters };

/** Our error for a failure that Gemini reports inside a stream. */
export function fromGeminiEvent(told: unknown): TroupeError {
  const error = errorIn(told);
  return fromStreamError(error === undefined ? told : { ...error, ...reasonOf(error) }, names);
}

/** Our error for a call that was refused. `nowMs` is the wall clock, for dates in `retry-after`. */
export function fromGeminiFault(thrown: unknown, nowMs: number): TroupeError {
  if (thrown instanceof TroupeError) return thrown;
  if (!(thrown instanceof HttpFault)) return fromConnectionError(thrown);
  const { status, headers, type, message, error = {} } = thrown;
  const refusal = { status, headers, type, message, error, param: fieldOf(error), cause: thrown };
  return fromRefusal({ ...refusal, ...reasonOf(error) }, names, nowMs);
}

function errorIn(told: unknown): JsonObject | undefined {
  const one = Array.isArray(told) ? told.find((entry) => isObject(entry) && entry.error) : told;
  return isObject(one) && isObject(one.error) ? one.error : undefined;
}

/** The most precise name of a failure, which is in its details. */
function reasonOf({ details }: JsonObject): { readonly code?: string } {
  const violations = objectsIn(details).flatMap((detail) => objectsIn(detail.violations));
  if (violations.some(({ quotaId }) => typeof quotaId === "string" && quotaId.includes("PerDay")))
    return { code: dailyQuota };
  const reason = objectsIn(details).find((detail) => typeof detail.reason === "string")?.reason;
  return typeof reason === "string" && codes.has(reason) ? { code: reason } : {};
}

/** The field at fault, such as `generation_config.temperature`. */
function fieldOf({ details, message }: JsonObject): string | undefined {
  const [violation] = objectsIn(details).flatMap((detail) => objectsIn(detail.fieldViolations));
  if (typeof violation?.field === "string") return violation.field;
  return / at '([\w.[\]]+)'/.exec(String(message))?.[1];
}
