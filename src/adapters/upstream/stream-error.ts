import { isObject, type JsonObject } from "../../ports/json.ts";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";
import { askedPause } from "./asked-pause.ts";
import { byStatus, byVendorCode, isRepeatableStatus, paramDetail, type VendorNames } from "./http-fault.ts";

/** Names of passing failures at many servers. They are looked for in codes and types, and in a message without either. */
const passingFailures: readonly (readonly [RegExp, ErrorCode])[] = [
  [/rate.?limit|too.?many.?requests|throttl|resource.?exhausted/i, "rate_limited"],
  [/overload|capacity|unavailable|\bbusy\b/i, "upstream_overloaded"],
  [/time.?out|internal|server.?error|api.?error/i, "upstream_error"],
];
/** Codes of failures that may pass without a change. */
const passing: ReadonlySet<ErrorCode> = new Set(passingFailures.map(([, code]) => code));
/** Nested errors are followed this many levels deep. */
const maxDepth = 4;

/**
 * The error for a failure that the vendor reports inside a stream. The vendor may send an error object, an event that holds one or is
 * one, a list of them, or a bare text. Its own words go only to the log. `safeToRepeat` is true for a failure that may pass; the caller
 * knows whether anything was shown. `isNewCall: false` means that an earlier call started the answer, so another call would bring the
 * same failure.
 */
export function fromStreamError(told: unknown, names: VendorNames, { isNewCall = true } = {}): TroupeError {
  const error = describe(told, 0);
  const { code, mayPass, isUnread } = readError(error, names);
  const retryAfterMs = mayPass ? askedPause(error) : undefined;
  return new TroupeError(code, {
    ...(isUnread ? { isUnread } : {}),
    ...paramDetail(textOf(error.param), names),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    safeToRepeat: isNewCall && mayPass,
    cause: new Error(textOf(error.message) ?? "no message"),
  });
}

interface ReadError {
  readonly code: ErrorCode;
  readonly mayPass: boolean;
  readonly isUnread: boolean;
}

/** The vendor's own code is the most precise, then a status, then the words of other servers. */
function readError(error: JsonObject, names: VendorNames): ReadError {
  const [code, type, word, message] = [error.code, error.type, error.status, error.message].map(textOf);
  // Nearly every refusal has this type; a status is more precise.
  const sureType = type === "invalid_request_error" ? undefined : type;
  const own = byVendorCode(code, names) ?? byVendorCode(sureType, names) ?? byVendorCode(word, names);
  const status = statusOf(error);
  if (own !== undefined)
    return { code: own, mayPass: passing.has(own), isUnread: own === "upstream_overloaded" };
  if (status !== undefined)
    return { code: byStatus(status), mayPass: isRepeatableStatus(status), isUnread: false };
  const words = [code, sureType, word].filter((told) => told !== undefined);
  const said = words.length > 0 ? words : [message ?? ""];
  const passed = passingFailures.find(([pattern]) => said.some((told) => pattern.test(told)))?.[1];
  const refused = byVendorCode(type, names);
  // A failure without a reason counts as the server's.
  const mayPass = passed !== undefined || (words.length === 0 && refused === undefined);
  return { code: passed ?? refused ?? "upstream_error", mayPass, isUnread: false };
}

/** The innermost error, with `message` as a text. Its fields overrule those of the event around it. */
function describe(told: unknown, depth: number): JsonObject {
  if (Array.isArray(told)) return depth < maxDepth ? describe(told[0], depth + 1) : {};
  if (!isObject(told)) return typeof told === "string" ? { message: told } : {};
  const { error, errors, type, ...rest } = told;
  // An event's name says nothing about the failure.
  const own: JsonObject = /^(response\.)?(error|failed)$/.test(String(type)) ? rest : { ...rest, type };
  const message = own.message ?? own.detail ?? own.msg;
  const flat = message === undefined ? own : { ...own, message };
  const inner = error || (Array.isArray(errors) ? errors : undefined);
  if (!inner || depth >= maxDepth) return flat;
  const { type: _, ...around } = flat;
  return { ...around, ...describe(inner, depth + 1) };
}

/** An HTTP status, as a number or in digits. */
function statusOf({ code, status, status_code, http_status }: JsonObject): number | undefined {
  return [code, status, status_code, http_status]
    .map(Number)
    .find((figure) => figure >= 400 && figure <= 599);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The error for a silence, with the limit and its setting: mostly a local model is still loading. */
export function silenceError(
  isSilent: boolean,
  limitMs: number,
  hasBegun: boolean,
  isUnread: boolean,
): TroupeError {
  const limit = limitMs < 1_000 ? `${limitMs} ms` : `${Math.round(limitMs / 1_000)} s`;
  if (isSilent) {
    const detail = `It had ${limit}; a model that has to load may need longer: TROUPE_FIRST_BYTE_MS sets the time.`;
    return new TroupeError("upstream_timeout", { detail, isUnread });
  }
  const setting = hasBegun ? "TROUPE_IDLE_MS sets" : "TROUPE_FIRST_BYTE_MS and TROUPE_IDLE_MS set";
  return new TroupeError("upstream_stalled", {
    detail: `It said nothing for ${limit}; ${setting} the time.`,
    isUnread,
  });
}

/** The error for a fault of the transport: the connection broke, or the bytes could not be decompressed. */
export function fromStreamFault(thrown: unknown): TroupeError {
  if (thrown instanceof TroupeError) return thrown;
  const code = (thrown as { code?: unknown }).code;
  const broke = code === "ECONNRESET" || code === "EPIPE" || code === "ERR_STREAM_PREMATURE_CLOSE";
  return new TroupeError(broke ? "upstream_disconnected" : "upstream_invalid", { cause: thrown });
}
