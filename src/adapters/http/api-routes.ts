import type { HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import type { Caller } from "../../ports/caller.ts";

export interface ApiEnv {
  Bindings: HttpBindings;
  Variables: { caller: Caller; isAdministrator?: true };
}

/** Routes under `/api`, which find who asks in the context's `caller`; only under `/api/keys` it may be the administrator. */
export type ApiRoutes = Hono<ApiEnv>;
