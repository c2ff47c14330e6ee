import { Hono } from "hono";
import { methodNotAllowed as refuseOtherMethods } from "hono/method-not-allowed";
import type { PersonaStore } from "../../ports/persona.ts";
import { type Tickets, ticketLifeMs } from "../../ports/tickets.ts";
import type { TurnLogStore } from "../../ports/turn-log.ts";
import { asyncApi } from "../../protocol/async-api.ts";
import { type AdminRoutesOptions, createAdminRoutes } from "./admin-routes.ts";
import { type ApiGateOptions, createApiGate, isOfAdministrator } from "./api-gate.ts";
import type { ApiRoutes } from "./api-routes.ts";
import { type ConversationRoutesOptions, createConversationRoutes } from "./conversation-routes.ts";
import { createKeyRoutes, type KeyRoutesOptions } from "./key-routes.ts";
import { createModelRoutes, type ModelRoutesOptions } from "./model-routes.ts";
import { methodNotAllowed, refusalOf } from "./refusal-of.ts";
import { createRequestRoutes } from "./request-routes.ts";
import { sharedBody } from "./streamed-body.ts";
import { createUsageRoutes, type UsageRoutesOptions } from "./usage-routes.ts";

export interface HttpAppOptions
  extends AdminRoutesOptions,
    ApiGateOptions,
    ConversationRoutesOptions,
    KeyRoutesOptions,
    ModelRoutesOptions,
    UsageRoutesOptions {
  readonly personas: PersonaStore;
  readonly tickets: Tickets;
  readonly logs: TurnLogStore;
  /** Read for each request: the page names the provider, which may change. */
  readonly page: { readonly html: string; readonly policy: string };
}

/** Creates the HTTP routes besides the socket, for requests whose head was accepted. */
export function createHttpApp({
  access,
  callers,
  clientAddress,
  onRefused,
  personas,
  keys,
  newSecret,
  listModels,
  prices,
  tickets,
  conversations,
  deleteConversation,
  logs,
  nodes,
  usage,
  today,
  page,
  observer,
}: HttpAppOptions): ApiRoutes {
  const app: ApiRoutes = new Hono();
  let sent = { html: "", bytes: Buffer.alloc(0) };
  app.use(async (context, next) => {
    await next();
    context.header("x-content-type-options", "nosniff");
    context.header("referrer-policy", "no-referrer");
    context.header("cache-control", "no-store");
  });
  app.use(
    refuseOtherMethods({
      app,
      onMethodNotAllowed(context, methods) {
        // These addresses exist only for the administrator.
        const isHidden = isOfAdministrator(context.req.path) && context.get("isAdministrator") !== true;
        if (isHidden) return context.notFound();
        const { status, code, message } = methodNotAllowed;
        return context.json({ code, message }, status, { allow: methods.join(", ") });
      },
    }),
  );
  app.get("/", (context) => {
    if (sent.html !== page.html) sent = { html: page.html, bytes: Buffer.from(page.html) };
    context.header("content-security-policy", page.policy);
    context.header("content-type", "text/html; charset=UTF-8");
    context.header("content-length", String(sent.bytes.length));
    return context.body(sharedBody(sent.bytes));
  });
  let description: string | undefined;
  app.get("/asyncapi.json", (context) => {
    description ??= JSON.stringify(asyncApi());
    return context.body(description, 200, { "content-type": "application/json" });
  });
  app.route("/api", createApiGate({ access, callers, clientAddress, onRefused }));
  // An application with its own users is asked about every socket, and a ticket would bypass it.
  if (callers.admission !== "authenticate")
    app.post("/api/tickets", async (context) =>
      context.json({ ticket: await tickets.issue(context.get("caller")), valid_for_ms: ticketLifeMs }, 201),
    );
  app.get("/api/personas", async (context) =>
    context.json({ personas: await personas.list(context.get("caller").owner) }),
  );
  app.route("/api/conversations", createConversationRoutes({ conversations, deleteConversation, observer }));
  app.route("/api/usage", createUsageRoutes({ usage, today, observer }));
  app.route("/api/requests", createRequestRoutes({ logs }));
  app.route("/api/models", createModelRoutes({ listModels, prices }));
  app.route("/api/admin", createAdminRoutes({ nodes }));
  app.route("/api/keys", createKeyRoutes({ keys, newSecret }));
  app.notFound((context) => context.json({ code: "not_found", message: "There is nothing here." }, 404));
  app.onError((error, context) => {
    const { status, body, retryAfterMs } = refusalOf(error);
    if (status === 500) observer.faulted?.({ where: "http", error });
    if (retryAfterMs !== undefined) context.header("retry-after", String(Math.ceil(retryAfterMs / 1_000)));
    return context.json(body, status);
  });
  return app;
}
