import { type IncomingMessage, STATUS_CODES } from "node:http";
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
const mostHeaders = 256;
/** RFC 6455, 4.4. */
const version = "13";

export function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? "";
}

/** Checks the head of a handshake, beyond the checks of `ws` itself. */
export function refuseHead(head: IncomingMessage): HandshakeRefusal | undefined {
  const { method, httpVersion, headers, rawHeaders } = head;
  if (rawHeaders.length > 2 * mostHeaders)
    return refuse(431, `A handshake has at most ${mostHeaders} headers.`);
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
