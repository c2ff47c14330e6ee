import { isObject, type JsonObject } from "../../ports/json.ts";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";
import { askedPause } from "./asked-pause.ts";
import { byStatus, byVendorCode, isRepeatableStatus, paramDetail } from "./openai-errors.ts";

/** How servers other than OpenAI call the failures that pass. Looked for in codes and types, and in a message that stands alone. */
const passingFailures: readonly (readonly [RegExp, ErrorCode])[] = [
  [/rate.?limit|too.?many.?requests|throttl|resource.?exhausted/i, "rate_limited"],
  [/overload|capacity|unavailable|\bbusy\b/i, "upstream_overloaded"],
  [/time.?out|internal|server.?error|api.?error/i, "upstream_error"],
];
/** Failures that may pass by themselves. */
const passing: ReadonlySet<ErrorCode> = new Set(passingFailures.map(([, code]) => code));
/** An error in an error is not looked for any deeper. */
const maxDepth = 4;

/**
 * A failure that the vendor reports inside a stream, in whatever form: the error object, an event that holds one or is one, a
 * list of them, or a bare text. Its own words go to the log alone. It may be repeated (`safeToRepeat`) when it is of a kind
 * that passes; the caller knows whether something was shown. `isNewCall: false`: an earlier call began the answer, and to ask for it
 * again would bring the same failure.
 */
export function fromStreamError(told: unknown, { isNewCall = true } = {}): TroupeError {
  const error = describe(told, 0);
  const { code, mayPass, isUnread } = readError(error);
  const retryAfterMs = mayPass ? askedPause(error) : undefined;
  return new TroupeError(code, {
    ...(isUnread ? { isUnread } : {}),
    ...paramDetail(textOf(error.param)),
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

/** The vendor's own code says most, then a status, then the words that others use. */
function readError(error: JsonObject): ReadError {
  const [code, type, word, message] = [error.code, error.type, error.status, error.message].map(textOf);
  // Nearly every refusal has this type; a status says more.
  const sureType = type === "invalid_request_error" ? undefined : type;
  const own = byVendorCode(code) ?? byVendorCode(sureType) ?? byVendorCode(word);
  const status = statusOf(error);
  if (own !== undefined)
    return { code: own, mayPass: passing.has(own), isUnread: own === "upstream_overloaded" };
  if (status !== undefined)
    return { code: byStatus(status), mayPass: isRepeatableStatus(status), isUnread: false };
  const words = [code, sureType, word].filter((told) => told !== undefined);
  const said = words.length > 0 ? words : [message ?? ""];
  const passed = passingFailures.find(([pattern]) => said.some((told) => pattern.test(told)))?.[1];
  const refused = byVendorCode(type);
  // Without any word of why it failed it is a failure of the server's.
  const mayPass = passed !== undefined || (words.length === 0 && refused === undefined);
  return { code: passed ?? refused ?? "upstream_error", mayPass, isUnread: false };
}

/** The error itself, with `message` as a text; its fields stand before those of the event around it. */
function describe(told: unknown, depth: number): JsonObject {
  if (Array.isArray(told)) return depth < maxDepth ? describe(told[0], depth + 1) : {};
  if (!isObject(told)) return typeof told === "string" ? { message: told } : {};
  const { error, errors, type, ...rest } = told;
  // The name of an event says nothing of the failure.
  const own: JsonObject = /^(response\.)?(error|failed)$/.test(String(type)) ? rest : { ...rest, type };
  const message = own.message ?? own.detail ?? own.msg;
  const flat = message === undefined ? own : { ...own, message };
  const inner = error || (Array.isArray(errors) ? errors : undefined);
  if (!inner || depth >= maxDepth) return flat;
  const { type: _, ...around } = flat;
  return { ...around, ...describe(inner, depth + 1) };
}

/** A status of HTTP, as a figure or in digits. */
function statusOf({ code, status, status_code, http_status }: JsonObject): number | undefined {
  return [code, status, status_code, http_status]
    .map(Number)
    .find((figure) => figure >= 400 && figure <= 599);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
