import type { FunctionTool } from "../../ports/item.ts";
import { isObject, type JsonObject } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** The newest web search that every model has. Later ones run code and want newer models. */
const webSearch = { type: "web_search_20250305", name: "web_search" } as const;
/** A tool in the API's own words, such as `web_fetch_20250910`. */
const ownType = /_20\d{6}$/;

/** The tools of a request. Functions and web search are translated; tools in the API's own words are passed on. */
export function toTools({ tools = [], functions = [] }: ProviderRequest): JsonObject[] {
  return [...tools.map(toTool), ...functions.map(toFunction)];
}

function toTool(tool: JsonObject, index: number): JsonObject {
  const { type, name, description, parameters, strict } = tool;
  if (typeof type === "string" && ownType.test(type)) return tool;
  if (type === "web_search") return toWebSearch(tool, index);
  if (type !== "function" || typeof name !== "string")
    throw refusal(index, "It takes functions, web_search and its own tools, such as web_fetch_20250910.");
  return toFunction({
    name,
    parameters: isObject(parameters) ? parameters : {},
    ...(typeof description === "string" ? { description } : {}),
    ...(typeof strict === "boolean" ? { strict } : {}),
  });
}

function toFunction({ name, description, parameters, strict }: FunctionTool): JsonObject {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    // The API requires the type.
    input_schema: { type: "object", ...parameters },
    ...(strict === undefined ? {} : { strict }),
  };
}

function toWebSearch({ type: _, filters, user_location, ...rest }: JsonObject, index: number): JsonObject {
  const [unknown] = Object.keys(rest).filter((name) => rest[name] != null);
  if (unknown !== undefined) throw refusal(index, `Its web search has no ${unknown}.`);
  const { allowed_domains, ...others } = isObject(filters) ? filters : {};
  const [other] = Object.keys(others);
  if (other !== undefined) throw refusal(index, `Its web search has no filter ${other}.`);
  return {
    ...webSearch,
    ...(allowed_domains == null ? {} : { allowed_domains }),
    ...(isObject(user_location) ? { user_location: { ...user_location, type: "approximate" } } : {}),
  };
}

function refusal(index: number, detail: string): TroupeError {
  return new TroupeError("upstream_invalid_request", { field: `tools.${index}`, detail, isUnread: true });
}
