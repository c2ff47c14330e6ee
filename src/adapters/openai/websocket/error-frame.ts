import { isObject, type JsonObject } from "../../../ports/json.ts";
import { TroupeError } from "../../../protocol/errors.ts";
import { fromPostFault, HttpFault } from "../../upstream/post-json.ts";
import { openaiNames } from "../openai-errors.ts";

/** The vendor's code for a socket that has reached its hour. */
const limitReached = "websocket_connection_limit_reached";
/** Longer messages are cut: their words only choose a code. */
const maxMessageChars = 65_536;

/** The error object: inside the frame, or the frame itself. */
function errorIn(frame: JsonObject): JsonObject {
  return isObject(frame.error) ? frame.error : frame;
}

/** Whether a failure says that the socket has served for too long, so that the call is to be made over another one. */
export function isLimitReached(frame: unknown): boolean {
  return isObject(frame) && errorIn(frame).code === limitReached;
}

/**
 * Our error for an error frame: `{"type": "error", "status", "error": {"code", "message", "headers"}}`, or the same without the inner
 * object. One with a status is read as the refusal that it would be over HTTP. `undefined` for one without: its words decide. `nowMs` is
 * the wall clock, for dates in `retry-after`.
 */
export function fromErrorFrame(frame: unknown, nowMs: number): TroupeError | undefined {
  if (!isObject(frame)) return undefined;
  if (isLimitReached(frame)) {
    const cause = new Error("The socket has reached the vendor's limit of time.");
    return new TroupeError("upstream_disconnected", { cause, safeToRepeat: true, isUnread: true });
  }
  const error = errorIn(frame);
  const status = [frame.status, frame.status_code, error.status, error.status_code]
    .map(Number)
    .find((figure) => Number.isInteger(figure) && figure >= 400 && figure <= 599);
  if (status === undefined) return undefined;
  const { code, type, param, message, headers = frame.headers } = error;
  const told = {
    ...{ code, param, headers, message: String(message ?? "").slice(0, maxMessageChars) },
    type: type === "error" ? undefined : type,
  };
  const body = JSON.stringify({ error: told });
  return fromPostFault(new HttpFault(status, headersOf(headers), body), openaiNames, nowMs);
}

function headersOf(told: unknown): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(isObject(told) ? told : {})) {
    const isHeader = /^[\w-]{1,100}$/.test(name) && /^[\x20-\x7e]{0,1000}$/.test(String(value));
    if (isHeader) headers.set(name, String(value));
  }
  return headers;
}
