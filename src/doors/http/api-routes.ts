import type { HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import type { Caller } from "../../ports/caller.ts";

export interface ApiEnv {
  Bindings: HttpBindings;
  Variables: { caller: Caller; isAdministrator?: true };
}

/** Routes under `/api`. They find the caller in the context's `caller`; only routes under `/api/keys` may get the administrator. */
export type ApiRoutes = Hono<ApiEnv>;
