import { isObject } from "../ports/json.ts";
import type { TurnRequest } from "../ports/turn-request.ts";
import { maxIdChars, type VendorIds } from "../ports/vendor-ids.ts";
import { TroupeError } from "../protocol/errors.ts";

export type ResponsesRequest = Extract<TurnRequest, { kind: "responses" }>;

/** An id at the vendor that a request names, and the path of its field. */
interface NamedId {
  readonly id: string;
  readonly field: string;
}

/** Tools that the caller describes itself: fields in them that look like ids are the caller's own words. */
const describedTools = new Set<unknown>(["function", "custom"]);
/** A field that holds ids: `id`, `file_ids`, `vector_store_ids`. A container is named by its field alone. */
const idField = /^(.*_)?ids?$|^container$/;
/** A path may hold names that the client chose. */
const maxFieldChars = 507;

/**
 * Refuses a request that names anything at the vendor that was not made for its caller. Throws `previous_response_not_found` with the
 * field. It is the same error for another caller's id, one that never existed, and one no longer stored.
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

/** Whether a request names anything that only the vendor has, beside the response that it continues. Another endpoint lacks it. */
export function namesVendorState(request: ResponsesRequest): boolean {
  for (const { field } of namedIds(request)) if (field !== "previousResponseId") return true;
  return false;
}

function* namedIds({ previousResponseId, options, tools = [] }: ResponsesRequest): Generator<NamedId> {
  if (previousResponseId !== undefined) yield { id: previousResponseId, field: "previousResponseId" };
  yield* idsIn(options.conversation, "options.conversation", true);
  yield* idsInPrompt(options.prompt, "options.prompt");
  yield* idsInTools(tools, "tools");
}

/** `isId`: the value itself is an id, or a list of ids. */
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
    // Everything about another server's tool is the caller's own, except a tunnel of the account.
    if (tool.type === "mcp") yield* idsIn(tool.tunnel_id, `${field}.${index}.tunnel_id`, true);
    else yield* idsIn(tool, `${field}.${index}`);
  }
}

/** The names of a prompt's variables are its author's own words, but their values may be files. */
function* idsInPrompt(prompt: unknown, field: string): Generator<NamedId> {
  if (!isObject(prompt)) return;
  const { variables, ...rest } = prompt;
  yield* idsIn(rest, field);
  for (const [name, value] of Object.entries(isObject(variables) ? variables : {}))
    yield* idsIn(value, `${field}.variables.${name}`);
}
