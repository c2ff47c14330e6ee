import { isObject, type JsonObject } from "../../ports/json.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { parseJson } from "./event-stream-parser.ts";
import { fromConnectionError, fromRefusal, type VendorNames } from "./http-fault.ts";
import type { UpstreamAnswer, UpstreamFetch } from "./upstream-call.ts";

interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body: object;
  /** An abort closes the connection before the answer has come. The reader of an answer closes it later. */
  readonly signal?: AbortSignal;
}

/**
 * An answer outside 200 to 299. It has the properties of the SDKs' errors for one, so that both are read alike. Its message and the
 * values of the vendor may repeat the request, so it must pass the secret mask before it is logged or shown.
 */
export class HttpFault extends Error {
  override readonly name = "HttpFault";
  readonly status: number;
  readonly headers: Headers;
  /** The first 64 KiB of the body. */
  readonly body: string;
  /** The error object in the body, or a body that is another JSON object; `undefined` if the body is no JSON object. */
  readonly error: JsonObject | undefined;
  readonly code: string | undefined;
  /** The vendor's name for the fault: its `type`, or its `status` where that is a word. */
  readonly type: string | undefined;
  readonly param: string | undefined;

  constructor(status: number, headers: Headers, body: string) {
    const error = errorIn(parseJson(body));
    super(`${status} ${textIn(error?.message) ?? body}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
    this.error = error;
    this.code = textIn(error?.code);
    this.type = textIn(error?.type) ?? textIn(error?.status);
    this.param = textIn(error?.param);
  }
}

/** `{"error": {...}}`, the same in a list, `{"error": "text"}`, or the error itself. */
function errorIn(body: unknown): JsonObject | undefined {
  const told = Array.isArray(body) ? body[0] : body;
  if (!isObject(told)) return undefined;
  if (isObject(told.error)) return told.error;
  return typeof told.error === "string" ? { ...told, message: told.error } : told;
}

function textIn(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * Makes a call of an API that is called without an SDK. Returns its successful answer, whose body the owner of `fetch` reads. Rejects with
 * an `HttpFault` for any other answer, and with the error of `fetch` if there is none.
 */
export async function postJson(
  fetch: UpstreamFetch,
  { url, headers, body, signal }: Post,
): Promise<UpstreamAnswer> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { accept: "text/event-stream", "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
  if (!answer.ok) throw new HttpFault(answer.status, answer.headers, await answer.text());
  return answer;
}

/**
 * Our error for one that `postJson` threw. `nowMs` is the wall clock, for dates in `retry-after`. `code` is a vendor's code that says more
 * than the body's own.
 */
export function fromPostFault(
  thrown: unknown,
  names: VendorNames,
  nowMs: number,
  code?: string | undefined,
): TroupeError {
  // The request could not be written in the vendor's form.
  if (thrown instanceof TroupeError) return thrown;
  if (!(thrown instanceof HttpFault)) return fromConnectionError(thrown);
  const { message } = thrown;
  return fromRefusal({ ...thrown, code: code ?? thrown.code, message, cause: thrown }, names, nowMs);
}
