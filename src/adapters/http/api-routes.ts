import type { Hono } from "hono";
import type { Caller } from "../../ports/caller.ts";

/** Routes under `/api`, which find who asks in the context's `caller`. */
export type ApiRoutes = Hono<{ Variables: { caller: Caller } }>;
