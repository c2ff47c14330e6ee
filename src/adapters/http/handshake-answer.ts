import type { IncomingMessage, ServerResponse } from "node:http";

/** Why a handshake is refused, with any HTTP status. */
interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

export interface HandshakeAnswerOptions {
  /** Why a handshake with the same head would be refused now; a ticket in its address is neither looked at nor used up. Never rejects. */
  readonly whyRefused: (request: IncomingMessage) => Promise<Refusal | undefined>;
  readonly onRefused: (refusal: Refusal, request: IncomingMessage) => void;
}

/** How long a browser may go by the answer to a preflight. */
const preflightSeconds = 600;

/**
 * Answers a request at the socket's path that asks for no upgrade as the handshake would be answered: browsers hide from a page why a
 * handshake failed. Any page may read it. It tells a page nothing but whether that page may come.
 */
export function createHandshakeAnswer({ whyRefused, onRefused }: HandshakeAnswerOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { origin } = request.headers;
    const shared: Record<string, string> = {
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      vary: "origin",
      ...(origin === undefined
        ? {}
        : { "access-control-allow-origin": origin, "access-control-allow-credentials": "true" }),
    };
    if (request.method === "OPTIONS") {
      response.writeHead(204, {
        ...shared,
        "access-control-allow-methods": "GET",
        "access-control-allow-headers": "authorization",
        "access-control-max-age": String(preflightSeconds),
      });
      response.end();
      return;
    }
    const refusal = await whyRefused(request);
    // What failed in the server itself has its own line in the log.
    if (refusal !== undefined && refusal.status !== 500) onRefused(refusal, request);
    const [type, body] =
      refusal === undefined
        ? ["text/plain; charset=UTF-8", "This is a WebSocket: connect with ws://."]
        : ["application/json", JSON.stringify({ code: refusal.code, message: refusal.message })];
    response.writeHead(refusal?.status ?? 426, {
      ...shared,
      "content-type": type,
      "content-length": String(Buffer.byteLength(body)),
      "access-control-expose-headers": "retry-after",
      ...(refusal === undefined ? { upgrade: "websocket" } : {}),
      ...(refusal?.status === 401 ? { "www-authenticate": "Bearer" } : {}),
      ...(refusal?.retryAfterMs === undefined
        ? {}
        : { "retry-after": String(Math.ceil(refusal.retryAfterMs / 1_000)) }),
    });
    // Node leaves the body out where a `HEAD` asks.
    response.end(body);
  };
}
