import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Observer } from "../../ports/observer.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Access } from "../identity/access.ts";
import type { Refusal } from "../identity/refusals.ts";
import type { ApiRoutes } from "./api-routes.ts";
import { pageAddress, pathOf, sentUrl } from "./mount.ts";
import { methodNotAllowed } from "./refusal-of.ts";

/** Called for each refusal, for the log. */
export type OnRefused = (refusal: Refusal, request: IncomingMessage) => void;

/** Paths for probes, which are answered under any host name. */
export const probePaths = { health: "/healthz", readiness: "/readyz" } as const;

interface HttpListenerOptions {
  /** Path of the socket. `answerHandshake` answers a plain request for it. */
  readonly socketPath: string;
  readonly answerHandshake: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly app: ApiRoutes;
  readonly access: Access;
  /** Returns the code of the fault that keeps the server from taking new requests; `undefined` if it is ready. */
  readonly whyNotReady: () => Promise<ErrorCode | undefined>;
  readonly onRefused: OnRefused;
  readonly observer: Observer;
}

/**
 * Answers HTTP requests. Health and readiness are open to everyone, because a probe knows an address and no name. Any other request must
 * have an accepted head and then goes to the routes.
 */
export function createHttpListener(options: HttpListenerOptions) {
  const { socketPath, answerHandshake, app, access, whyNotReady, onRefused, observer } = options;
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });

  async function answerReadiness({ url = "" }: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const reason = await whyNotReady();
      // HAProxy keeps the open sockets of a server only if it answers 404.
      const status = reason === "shutting_down" && url.endsWith("?draining=404") ? 404 : 503;
      if (reason === undefined) sendJson(response, 200, { status: "ready" });
      else sendJson(response, status, { status: "not_ready", reason });
    } catch (fault) {
      observer.faulted?.({ where: "http", error: fault });
      sendJson(response, 503, { status: "not_ready", reason: "internal_error" });
    }
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    const path = pathOf(request.url ?? "");
    const movedTo = pageAddress(request);
    const { method = "" } = request;
    const isRead = ["GET", "HEAD"].includes(method);
    const isOfSocket = [path, pathOf(sentUrl(request))].includes(socketPath);
    const isProbe = Object.values<string>(probePaths).includes(path);
    if (isOfSocket && (isRead || method === "OPTIONS")) void answerHandshake(request, response);
    else if (isRead && path === probePaths.health) sendJson(response, 200, { status: "ok" });
    else if (isRead && path === probePaths.readiness) void answerReadiness(request, response);
    else if (isRead && movedTo !== undefined) response.writeHead(307, { location: movedTo }).end();
    else {
      const refusal = access.refuseHead(request);
      if (refusal === undefined && (isOfSocket || isProbe)) {
        response.setHeader("allow", isOfSocket ? "GET, HEAD, OPTIONS" : "GET, HEAD");
        sendJson(response, methodNotAllowed.status, bodyOf(methodNotAllowed));
      } else if (refusal === undefined) void answer(request, response);
      else {
        onRefused(refusal, request);
        // People read the page; programs read everything else.
        if (path === "/") send(response, refusal.status, "text/plain; charset=utf-8", refusal.message);
        else sendJson(response, refusal.status, bodyOf(refusal));
      }
    }
  };
}

function bodyOf({ code, message }: Refusal): object {
  return { code, message };
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, "application/json", JSON.stringify(body));
}

/** Sends an answer. Node omits the body for `HEAD`. */
function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
  });
  response.end(body);
}
