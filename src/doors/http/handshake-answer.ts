import type { IncomingMessage, ServerResponse } from "node:http";

/** Why a handshake is refused, with any HTTP status. */
interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

interface HandshakeAnswerOptions {
  /**
   * Returns the reason why a handshake with the same head would be refused now. A ticket in its URL is neither checked nor used up. Never
   * rejects.
   */
  readonly whyRefused: (request: IncomingMessage) => Promise<Refusal | undefined>;
  readonly onRefused: (refusal: Refusal, request: IncomingMessage) => void;
}

/** How long a browser may reuse the answer to a preflight. */
const preflightSeconds = 600;

/**
 * Answers a plain request at the socket's path as the handshake would be answered, because browsers hide from a page why a handshake
 * failed. Any page may read the answer, which only says whether that page is allowed.
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
    // A fault of the server itself has its own line in the log.
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
    // Node omits the body for `HEAD`.
    response.end(body);
  };
}
