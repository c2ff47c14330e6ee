import { Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { PersonaStore } from "../../ports/persona.ts";
import type { Access } from "./access.ts";
import type { ApiRoutes } from "./api-routes.ts";
import { type Callers, ticketLifeMs } from "./callers.ts";
import { type ConversationRoutesOptions, createConversationRoutes } from "./conversation-routes.ts";
import { refusalOf } from "./refusals.ts";
import { createRequestRoutes } from "./request-routes.ts";

export interface HttpAppOptions extends ConversationRoutesOptions {
  readonly access: Access;
  readonly personas: PersonaStore;
  readonly callers: Callers;
  readonly page: { readonly html: string; readonly policy: string };
  /** False while the server is starting or stopping. */
  readonly isReady: () => boolean;
  readonly onFault: (fault: unknown) => void;
}

/** The HTTP routes beside the socket. */
export function createHttpApp({
  access,
  personas,
  callers,
  conversations,
  logs,
  page,
  isReady,
  onFault,
}: HttpAppOptions): ApiRoutes {
  const app: ApiRoutes = new Hono();
  app.use(async (context, next) => {
    const refusal = access.refuseHost(context.req.header("host"));
    if (refusal !== undefined) return context.text(refusal.reason, refusal.status as ContentfulStatusCode);
    await next();
    context.header("x-content-type-options", "nosniff");
    context.header("referrer-policy", "no-referrer");
    context.header("cache-control", "no-store");
  });
  app.get("/", (context) => {
    context.header("content-security-policy", page.policy);
    return context.html(page.html);
  });
  app.get("/healthz", (context) => context.json({ status: "ok" }));
  app.get("/readyz", (context) =>
    isReady() ? context.json({ status: "ready" }) : context.json({ status: "not_ready" }, 503),
  );
  app.get("/ws", (context) =>
    context.text("This is a WebSocket: connect with ws://.", 426, { upgrade: "websocket" }),
  );
  app.use("/api/*", async (context, next) => {
    const caller = callers.identify({ authorization: context.req.header("authorization") });
    if ("status" in caller) {
      context.header("www-authenticate", "Bearer");
      return context.json(
        { code: "unauthenticated", message: caller.reason },
        caller.status as ContentfulStatusCode,
      );
    }
    context.set("caller", caller);
    return next();
  });
  app.use("/api/*", async (context, next) => {
    if (["GET", "HEAD"].includes(context.req.method)) return next();
    const [host, origin] = [context.req.header("host"), context.req.header("origin")];
    const refusal = access.refuseOrigin({ host, origin, protocols: undefined, holdsKey: callers.needsKey });
    if (refusal === undefined) return next();
    return context.json(
      { code: "forbidden_origin", message: refusal.reason },
      refusal.status as ContentfulStatusCode,
    );
  });
  app.post("/api/tickets", (context) =>
    context.json({ ticket: callers.issueTicket(context.get("caller")), valid_for_ms: ticketLifeMs }, 201),
  );
  app.get("/api/personas", async (context) =>
    context.json({ personas: await personas.list(context.get("caller").owner) }),
  );
  app.route("/api/conversations", createConversationRoutes({ conversations, logs }));
  app.route("/api/requests", createRequestRoutes({ logs }));
  app.notFound((context) => context.json({ code: "not_found", message: "There is nothing here." }, 404));
  app.onError((error, context) => {
    const { status, body } = refusalOf(error);
    if (status === 500) onFault(error);
    return context.json(body, status);
  });
  return app;
}
