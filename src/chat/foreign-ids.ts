import type { JsonObject } from "../ports/json.ts";
import type { TurnRequest } from "../ports/turn-request.ts";
import { maxIdChars, type VendorIds } from "../ports/vendor-ids.ts";
import { TroupeError } from "../protocol/errors.ts";

type ResponsesRequest = Extract<TurnRequest, { kind: "responses" }>;

/** An id of something at the vendor that a request names, and the path of the field. */
interface NamedId {
  readonly id: string;
  readonly field: string;
}

/** Tools that the caller describes itself: what looks like an id in them is the caller's own word. */
const describedTools = new Set<unknown>(["function", "custom"]);
/** A field that names something: `id`, `file_ids`, `vector_store_ids`; a container is named by its field alone. */
const idField = /^(.*_)?ids?$|^container$/;
/** A path may hold names that the client chose. */
const maxFieldChars = 512;

/**
 * Refuses a request that names something at the vendor which was not made for its caller. Throws `previous_response_not_found` with
 * the field, the same for what is another's, what never was, and what is no longer kept.
 */
export async function refuseForeignIds(
  request: ResponsesRequest,
  owner: string,
  vendorIds: VendorIds,
): Promise<void> {
  const checked = new Set<string>();
  for (const { id, field } of namedIds(request)) {
    if (checked.has(id)) continue;
    checked.add(id);
    if (id.length <= maxIdChars && (await vendorIds.isOwn(owner, id))) continue;
    throw new TroupeError("previous_response_not_found", {
      field: field.slice(0, maxFieldChars).toWellFormed(),
    });
  }
}

function* namedIds({ previousResponseId, options, tools = [] }: ResponsesRequest): Generator<NamedId> {
  if (previousResponseId !== undefined) yield { id: previousResponseId, field: "data.previous_response_id" };
  yield* idsIn(options.conversation, "data.options.conversation", true);
  yield* idsInPrompt(options.prompt, "data.options.prompt");
  yield* idsInTools(tools, "data.tools");
}

/** `isId`: the value itself is one, or several. */
function* idsIn(value: unknown, field: string, isId = false): Generator<NamedId> {
  if (typeof value === "string") {
    if (isId) yield { id: value, field };
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* idsIn(item, `${field}.${index}`, isId);
  } else if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      if (key === "tools") yield* idsInTools(inner, `${field}.tools`);
      else yield* idsIn(inner, `${field}.${key}`, idField.test(key));
    }
  }
}

function* idsInTools(tools: unknown, field: string): Generator<NamedId> {
  for (const [index, tool] of Array.isArray(tools) ? tools.entries() : []) {
    if (!isObject(tool) || describedTools.has(tool.type)) continue;
    // Of another server's tools all is the caller's own but a tunnel of the account.
    if (tool.type === "mcp") yield* idsIn(tool.tunnel_id, `${field}.${index}.tunnel_id`, true);
    else yield* idsIn(tool, `${field}.${index}`);
  }
}

/** The names of a prompt's variables are its author's; what they are filled with may be a file. */
function* idsInPrompt(prompt: unknown, field: string): Generator<NamedId> {
  if (!isObject(prompt)) return;
  const { variables, ...rest } = prompt;
  yield* idsIn(rest, field);
  for (const [name, value] of Object.entries(isObject(variables) ? variables : {}))
    yield* idsIn(value, `${field}.variables.${name}`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
