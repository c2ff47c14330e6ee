import type { Hono } from "hono";

/** Routes under `/api`, which find their caller in the context's `owner`. */
export type ApiRoutes = Hono<{ Variables: { owner: string } }>;
