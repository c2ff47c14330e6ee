import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Caller } from "../../ports/caller.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Socket } from "../../ports/socket.ts";
import { wireLimits } from "../../protocol/limits.ts";
import { createWsSocket } from "./ws-socket.ts";

/** What handles one connection's frames. */
export interface FrameHandler {
  receive(frame: string | Uint8Array): Promise<void>;
  /** Settles when what is under way was delivered. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface WsServerOptions {
  readonly clock: Clock;
  /** The one path that is served; upgrades for other paths are left to others. */
  readonly path: string;
  /** Time between two pings; a peer that misses two is dropped. */
  readonly pingIntervalMs: number;
  /** Most connections at the same time; further ones are answered with 503. */
  readonly mostConnections: number;
  /** Most of one key whose limits say nothing else; further ones are answered with 429. */
  readonly mostConnectionsPerKey: number;
  /** Decides about a handshake: whose connection it will be, or the status to refuse it with. */
  readonly admit: (request: IncomingMessage) => Promise<Caller | HandshakeRefusal>;
  readonly connect: (socket: Socket, caller: Caller) => FrameHandler;
  /** Hears of broken frames and connections. */
  readonly onFault: (fault: unknown) => void;
}

/** Frames that wait for their handler before reading from the connection pauses. */
const mostWaitingFrames = 32;
/** The subprotocol that is answered when a client offers it; clients that offer none get none. */
const subprotocol = "troupe";

interface HandshakeRefusal {
  readonly status: number;
  readonly reason: string;
  /** Milliseconds, for the header. */
  readonly retryAfterMs?: number;
}

/** How long a peer that is dropped gets to answer the close. */
const closePatienceMs = 1_000;

interface OpenSocket {
  readonly port: Socket;
  readonly handler: FrameHandler;
  /** What the socket writes to. */
  readonly stream: Duplex;
  missedPings: number;
}

/** Serves WebSockets on HTTP servers that others own. */
export function createWsServer(options: WsServerOptions) {
  const { clock, path, pingIntervalMs, mostConnections, mostConnectionsPerKey, admit, connect, onFault } =
    options;
  const stopped = new AbortController();
  const sockets = new Map<WebSocket, OpenSocket>();
  const countByKey = new Map<string, number>();
  /** Handshakes that are being decided about. */
  let deciding = 0;
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: wireLimits.messageBytes,
    maxFragments: wireLimits.messageFragments,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });

  function upgrade(alone: boolean, request: IncomingMessage, stream: Duplex, head: Buffer): void {
    if (pathOf(request) !== path) {
      // Another listener may serve this path; where there is none, nobody would ever answer.
      if (alone) refuseHandshake(stream, { status: 404, reason: "Not Found" });
      return;
    }
    void decide(request, stream, head);
  }

  async function decide(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    if (sockets.size + deciding >= mostConnections) return refuseHandshake(stream, tooManyConnections(503));
    // Nobody else listens to it until it is a WebSocket; an error of it closes it, which is all that there is to do.
    stream.on("error", onFault);
    deciding += 1;
    try {
      const admitted = await admit(request);
      // Counted and opened at once, so that a burst cannot slip past the limit.
      if ("status" in admitted) refuseHandshake(stream, admitted);
      else if (!hasRoom(admitted)) refuseHandshake(stream, tooManyConnections(429));
      else server.handleUpgrade(request, stream, head, (socket) => open(socket, stream, admitted));
    } catch (fault) {
      onFault(fault);
      refuseHandshake(stream, { status: 500, reason: "Internal Error" });
    } finally {
      deciding -= 1;
      stream.off("error", onFault);
    }
  }

  function hasRoom({ keyId, limits }: Caller): boolean {
    return (countByKey.get(keyId) ?? 0) < (limits.connections ?? mostConnectionsPerKey);
  }

  /** Counts a socket of the key in; the returned function counts it out. */
  function count({ keyId }: Caller): () => void {
    countByKey.set(keyId, (countByKey.get(keyId) ?? 0) + 1);
    return () => {
      const left = (countByKey.get(keyId) ?? 1) - 1;
      if (left === 0) countByKey.delete(keyId);
      else countByKey.set(keyId, left);
    };
  }

  function open(socket: WebSocket, stream: Duplex, caller: Caller): void {
    const port = createWsSocket(socket, stream);
    const handler = connect(port, caller);
    const countOut = count(caller);
    let waiting = 0;
    let last: Promise<void> = Promise.resolve();
    const opened: OpenSocket = { port, handler, stream, missedPings: 0 };
    sockets.set(socket, opened);
    socket.on("message", (data: Buffer, isBinary) => {
      waiting += 1;
      if (waiting >= mostWaitingFrames) socket.pause();
      const frame = isBinary ? data : data.toString("utf8");
      last = last
        .then(() => handler.receive(frame))
        .catch(onFault)
        .finally(() => {
          waiting -= 1;
          if (waiting === 0) socket.resume();
        });
    });
    socket.on("pong", () => {
      opened.missedPings = 0;
    });
    socket.on("error", onFault);
    socket.on("close", () => {
      sockets.delete(socket);
      countOut();
      handler.close().catch(onFault);
    });
  }

  /** A peer that does not answer: one that left bytes unread is too slow, any other is gone. Either may come back. */
  function drop(socket: WebSocket, { port, stream }: OpenSocket): void {
    port.close(stream.writableLength > 0 ? "slow_reader" : "unresponsive");
    void clock.sleep(closePatienceMs, stopped.signal).then(() => socket.terminate());
  }

  async function heartbeat(): Promise<void> {
    while (!stopped.signal.aborted) {
      await clock.sleep(pingIntervalMs, stopped.signal);
      if (stopped.signal.aborted) return;
      for (const [socket, open] of sockets) {
        if (open.missedPings >= 2) {
          drop(socket, open);
        } else {
          open.missedPings += 1;
          socket.ping();
        }
      }
    }
  }
  void heartbeat();

  return {
    /** Connections that are open. */
    get count(): number {
      return sockets.size;
    },
    /** Takes this server's upgrades for the path; the returned function gives them back. */
    attach(httpServer: Server): () => void {
      const listener = (request: IncomingMessage, stream: Duplex, head: Buffer) =>
        upgrade(httpServer.listenerCount("upgrade") === 1, request, stream, head);
      httpServer.on("upgrade", listener);
      return () => httpServer.off("upgrade", listener);
    },
    /**
     * Lets what is under way be delivered, tells every client to come back later, and drops those that have not gone within
     * `patienceMs`.
     */
    async close(patienceMs: number): Promise<void> {
      stopped.abort();
      const gone = [...sockets].map(async ([socket, { port, handler }]) => {
        const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
        await Promise.race([handler.settle(), closed]);
        port.close("restarting");
        await closed;
      });
      const patience = new AbortController();
      await Promise.race([Promise.all(gone), clock.sleep(patienceMs, patience.signal)]);
      patience.abort();
      for (const socket of sockets.keys()) socket.terminate();
    },
  };
}

const tooManyConnections = (status: number): HandshakeRefusal => ({ status, reason: "Too Many Connections" });

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

function refuseHandshake(stream: Duplex, { status, reason, retryAfterMs }: HandshakeRefusal): void {
  stream.on("error", () => stream.destroy());
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    "Connection: close",
    "Content-Type: text/plain",
    `Content-Length: ${reason.length}`,
    ...(retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterMs / 1_000)}`]),
  ];
  stream.end(`${head.join("\r\n")}\r\n\r\n${reason}`);
}
