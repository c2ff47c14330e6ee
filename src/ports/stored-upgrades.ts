import { textMessage } from "./item.ts";
import { isObject } from "./json.ts";

/** Brings a request of an earlier version into the shape of this one. It is parsed JSON, which the caller checks afterwards. */
export function upgradeRequest(request: unknown, version: number): unknown {
  if (!isObject(request)) return request;
  const { inputText, message, ...rest } = request;
  const text = inputText ?? message;
  const upgraded = typeof text === "string" ? { ...rest, input: [textMessage("user", text)] } : request;
  return version === 1 ? { ...upgraded, ...factsInOptions(rest.options) } : upgraded;
}

/** Reads from the options of a request of version 1 the facts that have fields now. */
function factsInOptions(options: unknown): object {
  const { background, max_output_tokens: maxTokens } = isObject(options) ? options : {};
  return {
    ...(background === true ? { inBackground: true } : {}),
    ...(typeof maxTokens === "number" ? { maxTokens } : {}),
  };
}
