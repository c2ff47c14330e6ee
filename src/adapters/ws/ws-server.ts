import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Caller } from "../../ports/caller.ts";
import { faultsOf } from "../../ports/observer.ts";
import type { NoPlace, SocketPlaces } from "../../ports/socket-places.ts";
import type { CloseName } from "../../protocol/closes.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { wireLimits } from "../../protocol/limits.ts";
import { callAfterReading } from "../system/system-clock.ts";
import { attachDoor, type HandshakeRefusal, refuseHead, sendRefusal } from "./handshake.ts";
import { OpenSocket, WsConnection, type WsConnectionOptions } from "./ws-connection.ts";
import { always } from "./ws-socket.ts";

export interface WsServerOptions extends Omit<WsConnectionOptions, "onGone"> {
  /** The one path that is served. Upgrades for other paths are left to other listeners. */
  readonly path: string;
  /** Time between two pings. A peer that misses two is dropped. */
  readonly pingIntervalMs: number;
  /** Max connections of this process at a time, including undecided handshakes; further ones get 503. */
  readonly maxConnections: number;
  /** Counts sockets. Without a place a handshake gets 429, or 503 if the whole server is full. */
  readonly places: SocketPlaces;
  /** How long a refused or disconnected client should wait. Each gets a different time, so that they do not all return at once. */
  readonly retryAfterMs: () => number;
  /**
   * Decides about a handshake: returns its caller, or the refusal. If `isHandshake` is false, it only returns the decision for the same
   * head without its ticket.
   */
  readonly admit: (request: IncomingMessage, isHandshake: boolean) => Promise<Caller | HandshakeRefusal>;
  /** Called for every refused handshake, for the log. */
  readonly onRefused: (refusal: HandshakeRefusal, request: IncomingMessage) => void;
}

/** The subprotocol that is confirmed if a client offers it. Without an offer there is none. */
const subprotocol = "troupe";

/** Serves WebSockets on HTTP servers that other code owns. */
export function createWsServer(options: WsServerOptions) {
  const { clock, path, pingIntervalMs, maxConnections, retryAfterMs, admit, onRefused } = options;
  const { observer, places, isAdmitted, maySpeak = always } = options;
  const report = faultsOf(observer, "connection");
  const stopped = new AbortController();
  const connections = new Set<WsConnection>();
  /** Number of undecided handshakes. */
  let deciding = 0;
  const ofConnections: WsConnectionOptions = {
    ...options,
    isAdmitted: (caller) => maySpeak() && isAdmitted(caller),
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
    // The automatic pongs of `ws` pile up for a peer that pings and does not read.
    autoPong: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });

  let isPaused = false;

  /** The reason why the server accepts no connection at all now. */
  function refuseAll(): HandshakeRefusal | undefined {
    if (stopped.signal.aborted) return restarting();
    if (isPaused) return unavailable("storage_unavailable", "The server cannot reach its database.");
    if (connections.size + deciding < maxConnections) return undefined;
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

  /** The refusal of a caller for which there is no place. */
  function refuseMore({ isServerFull, message }: NoPlace): HandshakeRefusal {
    const code = "too_many_connections";
    const refusal = unavailable(code, message);
    return isServerFull ? refusal : { ...refusal, status: 429 };
  }

  /** The counting process may be gone; then this process ends as well. */
  function leave(caller: Caller): void {
    places.leave(caller).catch(report);
  }

  function refuse(request: IncomingMessage, stream: Duplex, refusal: HandshakeRefusal): void {
    onRefused(refusal, request);
    sendRefusal(stream, refusal);
  }

  /** The refusal after a fault: either the storage is unavailable, or the fault is unexpected. */
  function refusalAfter(fault: unknown): HandshakeRefusal {
    const { code, retryAfterMs: askedMs } = TroupeError.from(fault);
    if (code === "storage_unavailable") {
      const laterMs = askedMs === undefined ? {} : { retryAfterMs: askedMs };
      return { status: 503, code, message: "The server cannot store or read anything now.", ...laterMs };
    }
    observer.faulted?.({ where: "handshake", error: fault });
    return { status: 500, code: "internal_error", message: "The server failed." };
  }

  function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const refusal = refuseHead(request) ?? refuseAll();
    if (refusal === undefined) void decide(request, stream, head);
    else refuse(request, stream, refusal);
  }

  async function decide(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    // Until the stream is a WebSocket it has no other listener. An error closes it, which is enough.
    stream.on("error", report);
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
      stream.off("error", report);
    }
  }

  /** Opens the socket of a caller that has a place. */
  function complete(request: IncomingMessage, stream: Duplex, head: Buffer, caller: Caller): void {
    let isOpen = false;
    try {
      const refusal = stopped.signal.aborted || isPaused ? refuseAll() : undefined;
      if (refusal !== undefined) {
        refuse(request, stream, refusal);
        return;
      }
      server.handleUpgrade(request, stream, head, (socket) => {
        connections.add(new WsConnection(socket, stream, caller, ofConnections));
        isOpen = true;
      });
    } finally {
      // The client is gone, or its handshake is not valid.
      if (!isOpen) leave(caller);
    }
  }

  async function heartbeat(): Promise<void> {
    while (!stopped.signal.aborted) {
      await clock.sleep(pingIntervalMs, stopped.signal);
      // Pongs that have arrived are read first, in case this process was stalled.
      await new Promise<void>((resolve) => callAfterReading(resolve));
      if (stopped.signal.aborted) return;
      for (const connection of connections) connection.beat();
    }
  }
  void heartbeat();

  return {
    /** Number of open connections. */
    get count(): number {
      return connections.size;
    },
    /** Serves this HTTP server's upgrades for the path; the returned function detaches it. */
    attach: (httpServer: Server): (() => void) => attachDoor(httpServer, path, upgrade),
    /** The reason why a handshake with this request's head would be refused now. Its ticket is not checked. */
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
    /** Closes every socket that was opened with a key. From now on they are sent no more events. */
    closeAllOf(keyId: string, name?: CloseName): void {
      for (const connection of connections) if (connection.caller.keyId === keyId) connection.revoke(name);
    },
    /** Refuses new connections until it is called with `false`. Closes the open ones: clients go on at another server. */
    pause(isOn: boolean): void {
      isPaused = isOn;
      if (isOn) for (const connection of connections) connection.revoke("restarting", retryAfterMs());
    },
    /** Refuses new connections, and closes the open ones at once: other servers go on with everything. They are sent no more events. */
    leave(): void {
      stopped.abort();
      for (const connection of connections) connection.revoke("restarting", retryAfterMs());
    },
    /**
     * Refuses new connections, and closes those whose clients can go on at another server: each at a moment of its own, from which its
     * client returns at once. Until then they are served as always. `close` closes the others, and clients that do not take the reply to
     * a frame within `patienceMs`.
     */
    async move(patienceMs: number): Promise<void> {
      stopped.abort();
      const within = (ms: number, before: Promise<unknown>) => {
        const over = new AbortController();
        return Promise.race([clock.sleep(ms, over.signal), before]).finally(() => over.abort());
      };
      await Promise.all(
        [...connections].map(async (connection) => {
          await within(retryAfterMs(), connection.closed);
          if ((await within(patienceMs, connection.canMove())) === true) connection.close("restarting", 0);
        }),
      );
    },
    /**
     * Refuses new connections and closes the open ones, with the time after which to come back. A connection is closed as soon as
     * everything that it follows was delivered to its end; at once if it follows nothing. A client that is still there `patienceMs` after
     * `over` is dropped.
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
