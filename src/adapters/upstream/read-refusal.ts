import type { ErrorCode } from "../../protocol/errors.ts";

/** A vendor's refusal: an HTTP status with the fields that the SDK read from the body. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly param?: unknown;
  /** The error object, or another body. */
  readonly error?: unknown;
}

/** The code and the parameter that are read from a refusal without a known code. */
export interface ReadRefusal {
  readonly code?: ErrorCode;
  /** The parameter that the refusal names. The name comes from the vendor, so it must be looked up before it is shown. */
  readonly param?: string;
}

/** Messages of servers without the API's codes for an unknown model (vLLM, Ollama, LM Studio, DeepSeek, Mistral, OpenRouter). */
const unknownModel = [
  /\bmodel\b.{0,200}\b(?:not (?:be )?(?:found|exist|supported|available)|does not exist|do(?:es)? not have access)/is,
  /\b(?:invalid|unknown|no such|not a valid) model\b/i,
];
/** Messages for a text that is too long (llama.cpp, vLLM, LM Studio, Anthropic, DeepSeek, gateways). */
const tooLong = [
  /\b(?:maximum|max|model'?s|available) context (?:length|size|window)\b/i,
  /\bexceeds?\b.{0,80}\bcontext\b/is,
  /\bcontext (?:length|size|window)\b.{0,80}\bexceed/is,
  /\b(?:prompt|input|request) is too (?:long|large)\b/i,
  /\btoo many (?:input )?tokens\b/i,
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
export function readRefusal({ status, message, param, error }: Refusal): ReadRefusal {
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
