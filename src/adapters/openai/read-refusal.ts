import type { ErrorCode } from "../../protocol/errors.ts";

/** A refusal of a vendor: an HTTP status with what the SDK read from the body. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly param?: unknown;
  /** The error object, or another body. */
  readonly error?: unknown;
}

/** What a refusal without a known code says all the same. */
export interface ReadRefusal {
  readonly code?: ErrorCode;
  /** The parameter that it names. The name is the vendor's, so that it has to be looked up before it is shown. */
  readonly param?: string;
}

/** Servers that speak the API without its codes say in words that a model is not there (vLLM, Ollama, LM Studio, DeepSeek, Mistral, OpenRouter). */
const unknownModel = [
  /\bmodel\b.{0,200}\b(?:not (?:be )?(?:found|exist|supported|available)|does not exist|do(?:es)? not have access)/is,
  /\b(?:invalid|unknown|no such|not a valid) model\b/i,
];
/** The same for a text that is too long (llama.cpp, vLLM, LM Studio, Anthropic, DeepSeek, gateways). */
const tooLong = [
  /\b(?:maximum|max|model'?s|available) context (?:length|size|window)\b/i,
  /\bexceeds?\b.{0,80}\bcontext\b/is,
  /\bcontext (?:length|size|window)\b.{0,80}\bexceed/is,
  /\b(?:prompt|input|request) is too (?:long|large)\b/i,
  /\btoo many (?:input )?tokens\b/i,
];
/** And for a key that is not right, under a status that does not say so (Gemini's compatible endpoint answers 400). */
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

/** Reads the words of a refusal. They choose a code and point at a parameter; nothing of them is shown. */
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
  // A server that failed may name its model in any sentence.
  if (status === 500) return undefined;
  if (isOfModel || unknownModel.some((words) => words.test(message))) return "model_not_found";
  return badKey.test(message) ? "upstream_auth" : undefined;
}

/** As the API names it, or as FastAPI lists what it found (`detail[0].loc`). */
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
