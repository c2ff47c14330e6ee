import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Caller } from "../../ports/caller.ts";
import type { NoPlace, SocketPlaces } from "../../ports/socket-places.ts";
import type { CloseName } from "../../protocol/closes.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { wireLimits } from "../../protocol/limits.ts";
import { callAfterReading } from "../system/call-after-reading.ts";
import { attachDoor } from "./attach-door.ts";
import { type HandshakeRefusal, refuseHead, sendRefusal } from "./handshake.ts";
import { OpenSocket, WsConnection, type WsConnectionOptions } from "./ws-connection.ts";

export interface WsServerOptions extends Omit<WsConnectionOptions, "onGone"> {
  /** The one path that is served; upgrades for other paths are left to others. */
  readonly path: string;
  /** Time between two pings; a peer that misses two is dropped. */
  readonly pingIntervalMs: number;
  /** Most connections of this process at the same time, those being decided about among them; further ones are answered with 503. */
  readonly mostConnections: number;
  /** Where sockets are counted: without a place a handshake is answered with 429, or with 503 if the server as a whole is full. */
  readonly places: SocketPlaces;
  /** How long one who is sent away for now should wait; each is given a time of its own, so that they do not return together. */
  readonly retryAfterMs: () => number;
  /**
   * Decides about a handshake: whose connection it will be, or the status to refuse it with. Where `isHandshake` is false, it only tells
   * what it would decide about the same head without its ticket.
   */
  readonly admit: (request: IncomingMessage, isHandshake: boolean) => Promise<Caller | HandshakeRefusal>;
  /** Hears of a handshake that could not be decided about, which is no fault of its client. */
  readonly onHandshakeFault: (fault: unknown) => void;
  /** Hears of every handshake that is refused, for the log. */
  readonly onRefused: (refusal: HandshakeRefusal, request: IncomingMessage) => void;
}

/** The subprotocol that is answered when a client offers it; clients that offer none get none. */
const subprotocol = "troupe";

/** Serves WebSockets on HTTP servers that others own. */
export function createWsServer(options: WsServerOptions) {
  const { clock, path, pingIntervalMs, mostConnections, retryAfterMs, admit, onRefused } = options;
  const { onFault, onHandshakeFault, places } = options;
  const stopped = new AbortController();
  const connections = new Set<WsConnection>();
  /** Handshakes that are being decided about. */
  let deciding = 0;
  const ofConnections: WsConnectionOptions = {
    ...options,
    onGone(connection) {
      connections.delete(connection);
      leave(connection.caller);
    },
  };
  const server = new WebSocketServer({
    noServer: true,
    WebSocket: OpenSocket,
    maxPayload: wireLimits.messageBytes,
    maxFragments: wireLimits.messageFragments,
    perMessageDeflate: false,
    clientTracking: false,
    // Its own answers pile up for a peer that pings and does not read.
    autoPong: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });

  /** Why nobody is let in now. */
  function refuseAll(): HandshakeRefusal | undefined {
    if (stopped.signal.aborted) return restarting();
    if (connections.size + deciding < mostConnections) return undefined;
    return unavailable(
      "too_many_connections",
      "The server has as many sockets open as TROUPE_MAX_CONNECTIONS allows.",
    );
  }

  function restarting(): HandshakeRefusal {
    return unavailable("shutting_down", "The server restarts.");
  }

  function unavailable(code: string, message: string): HandshakeRefusal {
    return { status: 503, code, message, retryAfterMs: retryAfterMs() };
  }

  /** Why a caller gets no further socket. */
  function refuseMore({ isServerFull, message }: NoPlace): HandshakeRefusal {
    const code = "too_many_connections";
    const refusal = unavailable(code, message);
    return isServerFull ? refusal : { ...refusal, status: 429 };
  }

  /** The process that counts may be gone, and this one ends with it. */
  function leave(caller: Caller): void {
    places.leave(caller).catch(onFault);
  }

  function refuse(request: IncomingMessage, stream: Duplex, refusal: HandshakeRefusal): void {
    onRefused(refusal, request);
    sendRefusal(stream, refusal);
  }

  /** What a client is told of a fault that nobody foresaw, or that the storage is away. */
  function refusalAfter(fault: unknown): HandshakeRefusal {
    const { code, retryAfterMs: askedMs } = TroupeError.from(fault);
    if (code === "storage_unavailable") {
      const laterMs = askedMs === undefined ? {} : { retryAfterMs: askedMs };
      return { status: 503, code, message: "The server cannot store or read anything now.", ...laterMs };
    }
    onHandshakeFault(fault);
    return { status: 500, code: "internal_error", message: "The server failed." };
  }

  function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const refusal = refuseHead(request) ?? refuseAll();
    if (refusal === undefined) void decide(request, stream, head);
    else refuse(request, stream, refusal);
  }

  async function decide(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    // Nobody else listens to it until it is a WebSocket; an error of it closes it, which is all that there is to do.
    stream.on("error", onFault);
    deciding += 1;
    try {
      const admitted = await admit(request, true);
      if ("status" in admitted) return refuse(request, stream, admitted);
      const none = await places.take(admitted);
      if (none !== undefined) return refuse(request, stream, refuseMore(none));
      complete(request, stream, head, admitted);
    } catch (fault) {
      sendRefusal(stream, refusalAfter(fault));
    } finally {
      deciding -= 1;
      stream.off("error", onFault);
    }
  }

  /** Opens the socket of a caller that has a place. */
  function complete(request: IncomingMessage, stream: Duplex, head: Buffer, caller: Caller): void {
    let isOpen = false;
    try {
      if (stopped.signal.aborted) {
        refuse(request, stream, restarting());
        return;
      }
      server.handleUpgrade(request, stream, head, (socket) => {
        connections.add(new WsConnection(socket, stream, caller, ofConnections));
        isOpen = true;
      });
    } finally {
      // The client has gone meanwhile, or its handshake is not valid.
      if (!isOpen) leave(caller);
    }
  }

  async function heartbeat(): Promise<void> {
    while (!stopped.signal.aborted) {
      await clock.sleep(pingIntervalMs, stopped.signal);
      // Pongs that have come are read first, in case this process stood still.
      await new Promise<void>((resolve) => callAfterReading(resolve));
      if (stopped.signal.aborted) return;
      for (const connection of connections) connection.beat();
    }
  }
  void heartbeat();

  return {
    /** Connections that are open. */
    get count(): number {
      return connections.size;
    },
    /** Takes this server's upgrades for the path; the returned function gives them back. */
    attach: (httpServer: Server): (() => void) => attachDoor(httpServer, path, upgrade),
    /** Why a handshake with this request's head would be refused now, but for a ticket. */
    async whyRefused(request: IncomingMessage): Promise<HandshakeRefusal | undefined> {
      const refusal = refuseAll();
      if (refusal !== undefined) return refusal;
      try {
        const admitted = await admit(request, false);
        if ("status" in admitted) return admitted;
        const none = await places.whyNone(admitted);
        return none === undefined ? undefined : refuseMore(none);
      } catch (fault) {
        return refusalAfter(fault);
      }
    },
    /** Closes every socket that was opened with a key; from now on nothing is told to them. */
    closeAllOf(keyId: string, name?: CloseName): void {
      for (const connection of connections) if (connection.caller.keyId === keyId) connection.revoke(name);
    },
    /**
     * Lets nobody in any more, and tells each client to come back, and when, as soon as all that it follows was delivered to its end:
     * at once where it follows nothing. Who has not gone `patienceMs` after `over` is dropped.
     */
    async close(over: Promise<unknown>, patienceMs: number): Promise<void> {
      stopped.abort();
      const gone = Promise.all(
        [...connections].map(async (connection) => {
          await Promise.race([connection.settle(over), connection.closed]);
          connection.close("restarting", retryAfterMs());
          await connection.closed;
        }),
      );
      const patience = new AbortController();
      await Promise.race([gone, over.then(() => clock.sleep(patienceMs, patience.signal))]);
      patience.abort();
      for (const connection of connections) connection.terminate();
      await gone;
    },
  };
}
