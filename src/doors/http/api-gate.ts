import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import type { Access } from "../identity/access.ts";
import type { Callers } from "../identity/callers.ts";
import type { ClientAddress } from "../identity/client-address.ts";
import { type Refusal, refusals } from "../identity/refusals.ts";
import type { ApiEnv, ApiRoutes } from "./api-routes.ts";
import type { OnRefused } from "./http-listener.ts";

/** How long a browser may reuse the answer to a preflight. */
const preflightSeconds = 600;

export interface ApiGateOptions {
  readonly access: Access;
  readonly callers: Callers;
  readonly clientAddress: ClientAddress;
  readonly onRefused: OnRefused;
}

/** Whether an address belongs to the routes that only the administrator can see. */
export function isOfAdministrator(path: string): boolean {
  return /^\/api\/(keys|admin)(\/|$)/.test(path);
}

/** Checks every request under `/api` first: which pages may read the answer, which caller asks, and which pages may change data. */
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

  // Any page can have the origin `null`, so it may read no answer. Nor may pages that are not allowed to open a socket.
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
    // The administrator's key is good for these routes only.
    if (!isOfAdministrator(context.req.path)) return refuse(context, refusals.needsKey);
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
