import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import type { Access } from "./access.ts";
import type { ApiEnv, ApiRoutes } from "./api-routes.ts";
import type { Callers } from "./callers.ts";
import type { ClientAddress } from "./client-address.ts";
import type { OnRefused } from "./http-listener.ts";
import { type Refusal, refusals } from "./refusals.ts";

/** How long a browser may go by the answer to a preflight. */
const preflightSeconds = 600;

export interface ApiGateOptions {
  readonly access: Access;
  readonly callers: Callers;
  readonly clientAddress: ClientAddress;
  readonly onRefused: OnRefused;
}

/** Whether an address is of the routes that only the administrator finds. */
export function isOfKeys(path: string): boolean {
  return /^\/api\/keys(\/|$)/.test(path);
}

/** What every request under `/api` passes first: which pages may read the answer, who asks, and which pages may change something. */
export function createApiGate({ access, callers, clientAddress, onRefused }: ApiGateOptions): ApiRoutes {
  const gate: ApiRoutes = new Hono();
  const allowOrigin = cors({
    origin: (origin) => origin,
    allowMethods: ["GET", "POST", "PATCH", "DELETE"],
    allowHeaders: ["authorization", "content-type"],
    exposeHeaders: ["content-disposition", "retry-after"],
    maxAge: preflightSeconds,
    // A page of an allowed origin may use the application's login, as its socket does.
    credentials: callers.admission === "authenticate",
  });

  function refuseOrigin(context: Context<ApiEnv>, holdsKey: boolean): Refusal | undefined {
    const [host, origin] = [context.req.header("host"), context.req.header("origin")];
    return access.refuseOrigin({ host, origin, protocols: undefined, holdsKey });
  }

  function refuse(context: Context<ApiEnv>, refusal: Refusal): Response {
    const { status, code, message, retryAfterMs } = refusal;
    onRefused(refusal, context.env.incoming);
    if (status === 401) context.header("www-authenticate", "Bearer");
    if (retryAfterMs !== undefined) context.header("retry-after", String(Math.ceil(retryAfterMs / 1_000)));
    return context.json({ code, message }, status);
  }

  // Anything may have the origin `null`, so no answer is for it; nor is any for pages that may not open a socket.
  gate.use("/*", async (context, next) => {
    const fromPage = context.req.header("origin") !== undefined;
    return fromPage && refuseOrigin(context, false) === undefined ? allowOrigin(context, next) : next();
  });

  gate.use("/*", async (context, next) => {
    const { incoming } = context.env;
    const who = await callers.identify(
      { authorization: context.req.header("authorization"), address: clientAddress(incoming) },
      incoming,
    );
    if ("status" in who) return refuse(context, who);
    if (!("role" in who)) {
      context.set("caller", who);
      return next();
    }
    // The key that gives out keys does nothing else.
    if (!isOfKeys(context.req.path)) return refuse(context, refusals.needsKey);
    context.set("isAdministrator", true);
    return next();
  });

  gate.use("/*", async (context, next) => {
    if (["GET", "HEAD"].includes(context.req.method)) return next();
    const refusal = refuseOrigin(context, callers.admission === "keys");
    return refusal === undefined ? next() : refuse(context, refusal);
  });
  return gate;
}
