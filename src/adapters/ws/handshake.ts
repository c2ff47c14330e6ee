import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** Why there will be no socket, as an HTTP answer. */
export interface HandshakeRefusal {
  readonly status: number;
  readonly reason: string;
  /** When trying again makes sense. */
  readonly retryAfterMs?: number;
}

/** Most header lines of a handshake; a browser sends about 15. */
const mostHeaders = 256;
/** RFC 6455, 4.4. */
const version = "13";

export function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? "";
}

/** What is wrong with the head of a handshake, beyond what `ws` looks at itself. */
export function refuseHead(head: IncomingMessage): HandshakeRefusal | undefined {
  const { httpVersion, headers, headersDistinct, rawHeaders } = head;
  if (rawHeaders.length > 2 * mostHeaders) return { status: 431, reason: "Too many headers" };
  // With two hosts it is anyone's guess which one a proxy on the way has looked at.
  if (headersDistinct.host?.length !== 1) return { status: 400, reason: "Bad Host" };
  if (httpVersion !== "1.1") return { status: 400, reason: "A WebSocket needs HTTP/1.1" };
  if (headers["sec-websocket-version"] !== version) return { status: 426, reason: "Unknown version" };
  return undefined;
}

/** Answers and lets go of the connection, also where the peer keeps its half open. */
export function sendRefusal(stream: Duplex, { status, reason, retryAfterMs }: HandshakeRefusal): void {
  const lines = [
    `HTTP/1.1 ${status} ${reason}`,
    "Connection: close",
    "Content-Type: text/plain",
    `Content-Length: ${reason.length}`,
    ...(status === 401 ? ["WWW-Authenticate: Bearer"] : []),
    ...(status === 426 ? ["Upgrade: websocket", `Sec-WebSocket-Version: ${version}`] : []),
    ...(retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterMs / 1_000)}`]),
  ];
  stream.on("error", () => stream.destroy());
  stream.once("finish", () => stream.destroy());
  stream.end(`${lines.join("\r\n")}\r\n\r\n${reason}`);
}
