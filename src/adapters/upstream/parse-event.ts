import { isObject, type JsonObject } from "../../ports/json.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** Parses the data of an event. Throws `upstream_invalid` if it is not a JSON object. */
export function parseEvent(data: string): JsonObject {
  const event = parseJson(data);
  if (isObject(event)) return event;
  const fault = event === undefined ? "not JSON" : "not an object";
  throw new TroupeError("upstream_invalid", { cause: new Error(`An event's data is ${fault}.`) });
}

/** `undefined` if the text is not JSON. The parser's own error is dropped because it quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error for a body that is neither an event stream nor a whole response. */
export function notAStream(): TroupeError {
  return new TroupeError("upstream_invalid", { cause: new Error("The answer is not an event stream.") });
}
