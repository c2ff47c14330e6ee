import type { ClientMessageType } from "../../src/protocol/client-messages.ts";
import { fieldPaths } from "../fuzz/field-paths.ts";

/** A field of a message that may hold an id. */
export interface Place {
  readonly type: ClientMessageType;
  readonly path: readonly string[];
}

/** Fields that name something at the vendor. Their names do not show it, or their form is the vendor's own. */
const vendorPlaces: readonly Place[] = [
  ["options", "conversation"],
  ["options", "prompt", "id"],
  ["tools", "0", "container"],
  ["tools", "0", "vector_store_ids", "0"],
  ["tools", "0", "container", "file_ids", "0"],
].map((path) => ({ type: "openai_chat", path: ["data", ...path] }));

/**
 * Every field of every message that names something: fields found in the schemas, and fields that none of our schemas
 * knows.
 */
export function places(): Place[] {
  const named = fieldPaths().filter(({ path, schemas }) => {
    const names = /(^|_)(ids?|after)$/.test(path.filter((key) => key !== "0").at(-1) ?? "");
    return names && schemas.some(({ type }) => type === "string");
  });
  return [...named, ...vendorPlaces];
}

/** A message of each type with hardly more than the required fields. A type that is missing here fails the test. */
export const plainData: Readonly<Record<ClientMessageType, Readonly<Record<string, unknown>>>> = {
  openai_chat: { input_text: "Mine." },
  chat: { message: "Mine.", persona_id: "teacher" },
  multi_chat: { message: "Mine.", persona_ids: ["teacher"] },
  cancel: { request_id: "never-was" },
  resume: { request_id: "never-was", after_seq: 0 },
  follow: { conversation_id: "never-was" },
  unfollow: { conversation_id: "never-was" },
  ping: {},
};

/** The message with a value at a place. */
export function messageWith({ type, path }: Place, value: string): object {
  const message: Record<string, unknown> = { type, data: structuredClone(plainData[type]) };
  let parent = message;
  for (const [index, key] of path.slice(0, -1).entries()) {
    parent[key] ??= path[index + 1] === "0" ? [] : {};
    parent = parent[key] as Record<string, unknown>;
    if (key === "0")
      parent.type ??= path[index + 1] === "vector_store_ids" ? "file_search" : "code_interpreter";
  }
  parent[path.at(-1) ?? ""] = value;
  return message;
}

/** The request that is sent to a route about an id. */
interface RouteCall {
  readonly path: string;
  readonly body?: object;
}

/** A call of each route, with the id wherever one fits. A route that is missing here fails the test. */
export const routeCalls: Readonly<Record<string, (id: string) => RouteCall>> = {
  "GET /": (id) => ({ path: `/?id=${encodeURIComponent(id)}` }),
  "GET /asyncapi.json": (id) => ({ path: `/asyncapi.json?id=${encodeURIComponent(id)}` }),
  "GET /healthz": () => ({ path: "/healthz" }),
  "GET /readyz": () => ({ path: "/readyz" }),
  "GET /ws": (id) => ({ path: `/ws?ticket=${encodeURIComponent(id)}` }),
  "POST /api/tickets": (id) => ({ path: "/api/tickets", body: { owner: id } }),
  "GET /api/personas": () => ({ path: "/api/personas" }),
  "GET /api/models": (id) => ({ path: `/api/models?api=${encodeURIComponent(id)}` }),
  "GET /api/conversations": (id) => ({ path: `/api/conversations?before=${encodeURIComponent(id)}` }),
  "GET /api/conversations/:id": (id) => ({ path: `/api/conversations/${inPath(id)}` }),
  "GET /api/conversations/:id/export": (id) => ({
    path: `/api/conversations/${inPath(id)}/export?format=markdown`,
  }),
  "PATCH /api/conversations/:id": (id) => ({
    path: `/api/conversations/${inPath(id)}`,
    body: { title: "Mine" },
  }),
  "DELETE /api/conversations/:id": (id) => ({ path: `/api/conversations/${inPath(id)}` }),
  "GET /api/requests/:id": (id) => ({ path: `/api/requests/${inPath(id)}` }),
  "GET /api/usage": () => ({ path: "/api/usage" }),
  "GET /api/admin/nodes": () => ({ path: "/api/admin/nodes" }),
  "GET /api/keys": () => ({ path: "/api/keys" }),
  "POST /api/keys": (id) => ({ path: "/api/keys", body: { owner: "ada", name: id } }),
  "DELETE /api/keys/:id": (id) => ({ path: `/api/keys/${inPath(id)}` }),
};

/** An id that is already percent-encoded is sent unchanged. */
function inPath(id: string): string {
  return /%[0-9a-f]{2}/i.test(id) ? id : encodeURIComponent(id);
}
