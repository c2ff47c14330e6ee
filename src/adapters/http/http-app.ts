import { Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { PersonaStore } from "../../ports/persona.ts";
import type { Access } from "./access.ts";
import { type Callers, ticketLifeMs } from "./callers.ts";

/** Routes under `/api` find their caller in the context's `owner`. */
export type HttpApp = Hono<{ Variables: { owner: string } }>;

export interface HttpAppOptions {
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
  page,
  isReady,
  onFault,
}: HttpAppOptions): HttpApp {
  const app: HttpApp = new Hono();
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
    const identity = callers.identify({ authorization: context.req.header("authorization") });
    if ("status" in identity) {
      context.header("www-authenticate", "Bearer");
      return context.json(
        { code: "unauthenticated", message: identity.reason },
        identity.status as ContentfulStatusCode,
      );
    }
    context.set("owner", identity.owner);
    return next();
  });
  app.post("/api/tickets", (context) =>
    context.json({ ticket: callers.issueTicket(context.get("owner")), valid_for_ms: ticketLifeMs }, 201),
  );
  app.get("/api/personas", async (context) =>
    context.json({ personas: await personas.list(context.get("owner")) }),
  );
  app.notFound((context) => context.json({ code: "not_found", message: "There is nothing here." }, 404));
  app.onError((error, context) => {
    onFault(error);
    return context.json({ code: "internal_error", message: "Something went wrong inside the server." }, 500);
  });
  return app;
}
