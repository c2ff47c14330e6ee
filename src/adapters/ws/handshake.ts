import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** The reason why no socket is opened, as an HTTP answer. */
export interface HandshakeRefusal {
  readonly status: number;
  /** The reason for programs. */
  readonly code: string;
  /** One sentence in ASCII: the reason, and the setting that allows it. */
  readonly message: string;
  /** Time after which another try makes sense, milliseconds. */
  readonly retryAfterMs?: number;
}

/** Max header lines of a handshake; a browser sends about 15. */
const maxHeaders = 256;
/** RFC 6455, 4.4. */
const version = "13";

function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? "";
}

/** Checks the head of a handshake, beyond the checks of `ws` itself. */
export function refuseHead(head: IncomingMessage): HandshakeRefusal | undefined {
  const { method, httpVersion, headers, rawHeaders } = head;
  if (rawHeaders.length > 2 * maxHeaders)
    return refuse(431, `A handshake has at most ${maxHeaders} headers.`);
  if (method !== "GET") return refuse(405, "A WebSocket is opened by GET.");
  if (httpVersion !== "1.1") return refuse(400, "A WebSocket needs HTTP/1.1.");
  if (headers["sec-websocket-version"] !== version)
    return refuse(426, `The version of the WebSocket protocol must be ${version}.`);
  return undefined;
}

function refuse(status: number, message: string): HandshakeRefusal {
  return { status, code: "bad_handshake", message };
}

/** Answers, and closes the connection even if the peer keeps its half open. */
export function sendRefusal(stream: Duplex, { status, message, retryAfterMs }: HandshakeRefusal): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}`,
    "Connection: close",
    "Content-Type: text/plain",
    `Content-Length: ${message.length}`,
    ...(status === 401 ? ["WWW-Authenticate: Bearer"] : []),
    ...(status === 405 ? ["Allow: GET"] : []),
    ...(status === 426 ? ["Upgrade: websocket", `Sec-WebSocket-Version: ${version}`] : []),
    ...(retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterMs / 1_000)}`]),
  ];
  stream.on("error", () => stream.destroy());
  stream.once("finish", () => stream.destroy());
  stream.end(`${lines.join("\r\n")}\r\n\r\n${message}`);
}

type UpgradeListener = (request: IncomingMessage, stream: Duplex, head: Buffer) => void;

/**
 * Marks a listener with the one path that it serves. The symbol is registered, so that two copies of this package recognise each other's
 * listeners.
 */
const servedPath = Symbol.for("troupe.servedPath");

interface Door extends UpgradeListener {
  [servedPath]?: string;
}

/**
 * Takes an HTTP server's upgrades for one path; the returned function detaches it. An upgrade for a path that no listener serves gets
 * 404. That is known only if all listeners are doors like this one. A foreign listener must answer the upgrades that it does not serve.
 */
export function attachDoor(server: Server, path: string, upgrade: UpgradeListener): () => void {
  const door: Door = (request, stream, head) => {
    const asked = pathOf(request);
    if (asked === path) return upgrade(request, stream, head);
    const listeners: Door[] = server.listeners("upgrade").map((listener) => listener as Door);
    const paths = listeners.map((listener) => listener[servedPath]);
    // Only the first listener answers.
    if (listeners[0] === door && !paths.includes(undefined) && !paths.includes(asked))
      sendRefusal(stream, { status: 404, code: "not_found", message: "There is nothing here." });
  };
  door[servedPath] = path;
  server.on("upgrade", door);
  return () => server.off("upgrade", door);
}
