import type { Hono } from "hono";
import type { Caller } from "../../ports/caller.ts";

/** Routes under `/api`, which find who asks in the context's `caller`; only under `/api/keys` it may be the administrator. */
export type ApiRoutes = Hono<{ Variables: { caller: Caller; isAdministrator?: true } }>;
