import { Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { PersonaStore } from "../../ports/persona.ts";
import type { Tickets } from "../../ports/tickets.ts";
import type { TurnLogStore } from "../../ports/turn-log.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Access } from "./access.ts";
import { createApiGate } from "./api-gate.ts";
import type { ApiRoutes } from "./api-routes.ts";
import type { Callers } from "./callers.ts";
import { type ConversationRoutesOptions, createConversationRoutes } from "./conversation-routes.ts";
import { createKeyRoutes, type KeyRoutesOptions } from "./key-routes.ts";
import { refusalOf } from "./refusals.ts";
import { createRequestRoutes } from "./request-routes.ts";
import { ticketLifeMs } from "./tickets.ts";
import { createUsageRoutes, type UsageRoutesOptions } from "./usage-routes.ts";

export interface HttpAppOptions extends ConversationRoutesOptions, KeyRoutesOptions, UsageRoutesOptions {
  readonly access: Access;
  readonly personas: PersonaStore;
  readonly callers: Callers;
  readonly tickets: Tickets;
  readonly logs: TurnLogStore;
  readonly page: { readonly html: string; readonly policy: string };
  /** The code of what keeps the server from taking new requests, where something does. */
  readonly whyNotReady: () => Promise<ErrorCode | undefined>;
  readonly onFault: (fault: unknown) => void;
}

/** The HTTP routes beside the socket. */
export function createHttpApp({
  access,
  personas,
  callers,
  keys,
  newSecret,
  tickets,
  conversations,
  deleteConversation,
  logs,
  usage,
  today,
  page,
  whyNotReady,
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
  app.get("/readyz", async (context) => {
    const reason = await whyNotReady();
    return reason === undefined
      ? context.json({ status: "ready" })
      : context.json({ status: "not_ready", reason }, 503);
  });
  app.get("/ws", (context) =>
    context.text("This is a WebSocket: connect with ws://.", 426, { upgrade: "websocket" }),
  );
  app.route("/api", createApiGate({ access, callers }));
  app.post("/api/tickets", async (context) =>
    context.json({ ticket: await tickets.issue(context.get("caller")), valid_for_ms: ticketLifeMs }, 201),
  );
  app.get("/api/personas", async (context) =>
    context.json({ personas: await personas.list(context.get("caller").owner) }),
  );
  app.route("/api/conversations", createConversationRoutes({ conversations, deleteConversation }));
  app.route("/api/usage", createUsageRoutes({ usage, today }));
  app.route("/api/requests", createRequestRoutes({ logs }));
  app.route("/api/keys", createKeyRoutes({ keys, newSecret }));
  app.notFound((context) => context.json({ code: "not_found", message: "There is nothing here." }, 404));
  app.onError((error, context) => {
    const { status, body } = refusalOf(error);
    if (status === 500) onFault(error);
    return context.json(body, status);
  });
  return app;
}
