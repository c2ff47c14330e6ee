import { isObject } from "../../ports/json.ts";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";
import { askedPause } from "./asked-pause.ts";
import { NoConnectionError, NotAnAnswerError } from "./upstream-call.ts";

/** A vendor's own names. */
export interface VendorNames {
  /** Our codes for the vendor's codes and types of errors. */
  readonly codes: ReadonlyMap<string, ErrorCode>;
  /** The parameters of a call that an error may name to a client. */
  readonly parameters: ReadonlySet<string>;
}

/** An HTTP answer that is not an answer of a model. */
interface HttpRefusal {
  readonly status: number;
  readonly headers?: Headers | undefined;
  /** The vendor's code and type of the error, if the body has them. */
  readonly code?: string | null | undefined;
  readonly type?: string | null | undefined;
  readonly param?: unknown;
  readonly message: string;
  /** The error object of the body, or another body. */
  readonly error?: unknown;
  /** The error for the log. */
  readonly cause: unknown;
}

/** Our code for one of the vendor's own codes or types. */
export function byVendorCode(code: string | null | undefined, { codes }: VendorNames): ErrorCode | undefined {
  return code == null ? undefined : codes.get(code);
}

/** Codes by which the vendor says, under any status, that it did not accept the call. */
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
 * Whether a call with this status was surely not read by a model. A 4xx is a check before the model, except a time-out (408) and a
 * conflict (409), which may come later. Every 5xx may come later too: gateways answer 502, 503 and 504 for calls that they had passed on.
 * Only the vendor's own code for "overloaded" means that it did not.
 */
function isUnreadStatus(status: number, vendorCode: ErrorCode | undefined): boolean {
  if (vendorCode !== undefined && refusedCodes.has(vendorCode)) return true;
  return status >= 300 && status < 500 && status !== 408 && status !== 409;
}

export function byStatus(status: number): ErrorCode {
  if (status === 401 || status === 403) return "upstream_auth";
  if (status === 402) return "quota_exceeded";
  // A proxy on the way wants a password.
  if (status === 407) return "upstream_unreachable";
  if (status === 413) return "context_length_exceeded";
  if (status === 429) return "rate_limited";
  if (status === 503) return "upstream_overloaded";
  if (status === 408 || status >= 500) return "upstream_error";
  if (status >= 300 && status < 400) return "upstream_invalid";
  return "upstream_invalid_request";
}

/** Codes that already say which parameter is meant. */
const saysItself: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["model_not_found", "context_length_exceeded"]);

/** Our error for an HTTP refusal. `nowMs` is the wall clock, for dates in `retry-after`. */
export function fromRefusal(refusal: HttpRefusal, names: VendorNames, nowMs: number): TroupeError {
  const { status, headers, cause } = refusal;
  // Nearly every refusal has this type; the status is more precise.
  const type = refusal.type === "invalid_request_error" ? undefined : refusal.type;
  const vendorCode = byVendorCode(refusal.code, names) ?? byVendorCode(type, names);
  const read = readRefusal(refusal);
  // "The request is not valid" is said of every fault; the message may be more precise.
  const sureCode = vendorCode === "upstream_invalid_request" ? undefined : vendorCode;
  const code = sureCode ?? read.code ?? byStatus(status);
  // Google names the pause only in the body.
  const retryAfterMs =
    retryAfter(headers, nowMs) ?? (isObject(refusal.error) ? askedPause(refusal.error) : undefined);
  return new TroupeError(code, {
    ...(saysItself.has(code) ? {} : paramDetail(read.param, names)),
    cause,
    safeToRepeat: code !== "quota_exceeded" && isRepeatable(status, headers),
    isUnread: isUnreadStatus(status, vendorCode ?? read.code),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/**
 * An error of a call without an answer. A retry is safe, unless the server does not speak HTTP: that fault would recur. The call was
 * surely not read only if no connection was made.
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

/** The statuses that SDKs would retry. The vendor's own header overrules them. */
function isRepeatable(status: number, headers: Headers | undefined): boolean {
  const told = headers?.get("x-should-retry");
  if (told === "true") return true;
  if (told === "false") return false;
  return isRepeatableStatus(status);
}

export function isRepeatableStatus(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

/** Statuses of a server that does not have the route of a call. */
const noRouteStatuses: ReadonlySet<unknown> = new Set([404, 405, 501]);
/** LM Studio says so with status 200 (lmstudio-ai/lmstudio-bug-tracker#618). */
const noRouteMessage = /^Unexpected endpoint or method\b/;

/** Whether an error says that the server does not have the API of the call. A 404 for an unknown model is `model_not_found`. */
export function hasNoRoute({ code, cause }: TroupeError): boolean {
  if (code !== "upstream_invalid_request" && code !== "upstream_error") return false;
  if (!(cause instanceof Error)) return false;
  return noRouteStatuses.has(Reflect.get(cause, "status")) || noRouteMessage.test(cause.message);
}

/** The pause of `retry-after-ms`, or of `retry-after` in seconds or as a future date. Any other value counts as absent. */
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

/** Names the parameter at fault, which helps a developer and reveals no secret. A name that the vendor's calls do not have is dropped. */
export function paramDetail(param: string | undefined, { parameters }: VendorNames): { detail?: string } {
  if (param === undefined || !/^[a-z0-9_.[\]]{1,80}$/i.test(param)) return {};
  return parameters.has(param.split(/[.[]/, 1)[0] ?? "") ? { detail: `Parameter: ${param}.` } : {};
}

/** The code and the parameter that are read from a refusal without a known code. */
interface ReadRefusal {
  readonly code?: ErrorCode;
  /** The parameter that the refusal names. The name comes from the vendor, so it must be looked up before it is shown. */
  readonly param?: string;
}

/** Messages of servers without the API's codes for an unknown model (vLLM, Ollama, LM Studio, DeepSeek, Mistral, OpenRouter). */
const unknownModel = [
  /\bmodel\b.{0,200}\b(?:not (?:be )?(?:found|exist|supported|available)|does not exist|do(?:es)? not have access)/is,
  /\b(?:invalid|unknown|no such|not a valid) model\b/i,
];
/** Messages for a text that is too long (llama.cpp, vLLM, LM Studio, Anthropic, DeepSeek, Gemini, gateways). */
const tooLong = [
  /\b(?:maximum|max|model'?s|available) context (?:length|size|window)\b/i,
  /\bexceeds?\b.{0,80}\bcontext\b/is,
  /\bcontext (?:length|size|window)\b.{0,80}\bexceed/is,
  /\b(?:prompt|input|request) is too (?:long|large)\b/i,
  /\btoo many (?:input )?tokens\b/i,
  /\binput token count\b.{0,80}\bexceeds\b/is,
];
/** Messages for a bad key under a status that does not say so (Gemini's compatible endpoint answers 400). */
const badKey =
  /\bapi[ _-]?key (?:is )?(?:not valid|invalid|missing|incorrect|expired)|\b(?:invalid|incorrect|missing|no) api[ _-]?key\b/i;

/** A parameter's name: after the word for one, before "is not ...", or before a colon at the start. */
const name = String.raw`([a-z][a-z0-9_.[\]]{0,79})`;
const namedParameters = [
  new RegExp(
    String.raw`\b(?:parameter|argument|field|property|value for)s?\b(?: supplied)?:? ?['"\x60]?${name}`,
    "i",
  ),
  new RegExp(String.raw`['"\x60]${name}['"\x60]:? (?:is|are|was|does|must|cannot|extra|unsupported)\b`, "i"),
  new RegExp(String.raw`^(?:\d{3} )?${name}: `, "i"),
];

/** Reads the message of a refusal. It chooses a code and points at a parameter; none of its words are shown. */
function readRefusal({ status, message, param, error }: HttpRefusal): ReadRefusal {
  const isCheck = status === 400 || status === 404 || status === 422;
  const named = paramOf(param, error) ?? (isCheck ? paramIn(message) : undefined);
  const code =
    isCheck || status === 500 ? codeIn(message, { status, isOfModel: param === "model" }) : undefined;
  return { ...(code === undefined ? {} : { code }), ...(named === undefined ? {} : { param: named }) };
}

function codeIn(
  message: string,
  { status, isOfModel }: { readonly status: number; readonly isOfModel: boolean },
): ErrorCode | undefined {
  if (tooLong.some((words) => words.test(message))) return "context_length_exceeded";
  // A failing server may name its model in any sentence.
  if (status === 500) return undefined;
  if (isOfModel || unknownModel.some((words) => words.test(message))) return "model_not_found";
  return badKey.test(message) ? "upstream_auth" : undefined;
}

/** The parameter that the API names, or the first one in FastAPI's list of faults (`detail[0].loc`). */
function paramOf(param: unknown, error: unknown): string | undefined {
  if (typeof param === "string") return param;
  const detail: unknown =
    typeof error === "object" && error !== null ? Reflect.get(error, "detail") : undefined;
  const [first]: unknown[] = Array.isArray(detail) ? detail : [];
  const place: unknown = typeof first === "object" && first !== null ? Reflect.get(first, "loc") : undefined;
  if (!Array.isArray(place)) return undefined;
  return place.filter((step) => typeof step === "string" && step !== "body").join(".") || undefined;
}

function paramIn(message: string): string | undefined {
  for (const words of namedParameters) {
    const found = words.exec(message)?.[1]?.replace(/[.[\]]+$/, "");
    if (found !== undefined) return found;
  }
  return undefined;
}
