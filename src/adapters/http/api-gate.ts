import { getConnInfo } from "@hono/node-server/conninfo";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Access } from "./access.ts";
import type { ApiRoutes } from "./api-routes.ts";
import { type Callers, unauthenticated } from "./callers.ts";
import type { Refusal } from "./refusals.ts";

/** How long a browser may go by the answer to a preflight. */
const preflightSeconds = 600;

export interface ApiGateOptions {
  readonly access: Access;
  readonly callers: Callers;
}

/** What every request under `/api` passes first: which pages may read the answer, who asks, and which pages may change something. */
export function createApiGate({ access, callers }: ApiGateOptions): ApiRoutes {
  const gate: ApiRoutes = new Hono();
  const allowOrigin = cors({
    origin: (origin) => origin,
    allowMethods: ["GET", "POST", "PATCH", "DELETE"],
    allowHeaders: ["authorization", "content-type"],
    exposeHeaders: ["content-disposition", "retry-after"],
    maxAge: preflightSeconds,
  });

  function refusalOf(context: Context, holdsKey: boolean): Refusal | undefined {
    const [host, origin] = [context.req.header("host"), context.req.header("origin")];
    return access.refuseOrigin({ host, origin, protocols: undefined, holdsKey });
  }

  // Anything may have the origin `null`, so no answer is for it; nor is any for pages that may not open a socket.
  gate.use("/*", async (context, next) => {
    const fromPage = context.req.header("origin") !== undefined;
    return fromPage && refusalOf(context, false) === undefined ? allowOrigin(context, next) : next();
  });

  gate.use("/*", async (context, next) => {
    const who = await callers.identify({
      authorization: context.req.header("authorization"),
      remoteAddress: getConnInfo(context).remote.address,
    });
    if ("status" in who) return refuseCaller(context, who);
    if (!("role" in who)) {
      context.set("caller", who);
      return next();
    }
    // The key that gives out keys does nothing else.
    if (!/^\/api\/keys(\/|$)/.test(context.req.path)) return refuseCaller(context, unauthenticated);
    context.set("isAdministrator", true);
    return next();
  });

  gate.use("/*", async (context, next) => {
    if (["GET", "HEAD"].includes(context.req.method)) return next();
    const refusal = refusalOf(context, callers.admission === "keys");
    if (refusal === undefined) return next();
    const { status, reason: message } = refusal;
    return context.json({ code: "forbidden_origin", message }, status as ContentfulStatusCode);
  });
  return gate;
}

function refuseCaller(context: Context, { status, reason: message, retryAfterMs }: Refusal): Response {
  if (retryAfterMs === undefined) {
    context.header("www-authenticate", "Bearer");
    return context.json({ code: "unauthenticated", message }, status as ContentfulStatusCode);
  }
  context.header("retry-after", String(Math.ceil(retryAfterMs / 1_000)));
  return context.json({ code: "too_many_attempts", message }, status as ContentfulStatusCode);
}
