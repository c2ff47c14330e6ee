import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Caller } from "../../ports/caller.ts";
import { faultsOf } from "../../ports/observer.ts";
import type { NoPlace, SocketPlaces } from "../../ports/socket-places.ts";
import type { CloseName } from "../../protocol/closes.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { wireLimits } from "../../protocol/limits.ts";
import { callAfterReading } from "../system/system.ts";
import { attachDoor, type HandshakeRefusal, refuseHead, sendRefusal } from "./handshake.ts";
import { OpenSocket, WsConnection, type WsConnectionOptions } from "./ws-connection.ts";

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
export class WsServer {
  readonly #options: WsServerOptions;
  readonly #ofConnections: WsConnectionOptions;
  readonly #report: (error: unknown) => void;
  readonly #stopped = new AbortController();
  readonly #connections = new Set<WsConnection>();
  /** Number of undecided handshakes. */
  #deciding = 0;
  #isPaused = false;
  readonly #server = new WebSocketServer({
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

  constructor(options: WsServerOptions) {
    const { observer, isAdmitted, isCutOff } = options;
    this.#options = options;
    this.#report = faultsOf(observer, "connection");
    this.#ofConnections = {
      ...options,
      isAdmitted: isCutOff === undefined ? isAdmitted : (caller) => !isCutOff() && isAdmitted(caller),
      onGone: (connection) => {
        this.#connections.delete(connection);
        this.#leavePlace(connection.caller);
      },
    };
    void this.#heartbeat();
  }

  /** Number of open connections. */
  get count(): number {
    return this.#connections.size;
  }

  /** Serves this HTTP server's upgrades for the path; the returned function detaches it. */
  attach(httpServer: Server): () => void {
    return attachDoor(httpServer, this.#options.path, (request, stream, head) =>
      this.#upgrade(request, stream, head),
    );
  }

  /** The reason why a handshake with this request's head would be refused now. Its ticket is not checked. */
  async whyRefused(request: IncomingMessage): Promise<HandshakeRefusal | undefined> {
    const refusal = this.#refuseAll();
    if (refusal !== undefined) return refusal;
    try {
      const admitted = await this.#options.admit(request, false);
      if ("status" in admitted) return admitted;
      const none = await this.#options.places.whyNone(admitted);
      return none === undefined ? undefined : this.#refuseMore(none);
    } catch (fault) {
      return this.#refusalAfter(fault);
    }
  }

  /** Closes every socket that was opened with a key. From now on they are sent no more events. */
  closeAllOf(keyId: string, name?: CloseName): void {
    for (const connection of this.#connections)
      if (connection.caller.keyId === keyId) connection.revoke(name);
  }

  /** Refuses new connections until it is called with `false`. Closes the open ones: clients go on at another server. */
  pause(isOn: boolean): void {
    this.#isPaused = isOn;
    if (isOn) this.#revokeAll();
  }

  /** Refuses new connections, and closes the open ones at once: other servers go on with everything. They are sent no more events. */
  leave(): void {
    this.#stopped.abort();
    this.#revokeAll();
  }

  /**
   * Refuses new connections, and closes those whose clients can go on at another server: each at a moment of its own, from which its
   * client returns at once. Until then they are served as always. `close` closes the others, and clients that do not take the reply to
   * a frame within `patienceMs`.
   */
  async move(patienceMs: number): Promise<void> {
    const { clock, retryAfterMs } = this.#options;
    this.#stopped.abort();
    const within = (ms: number, before: Promise<unknown>) => {
      const over = new AbortController();
      return Promise.race([clock.sleep(ms, over.signal), before]).finally(() => over.abort());
    };
    await Promise.all(
      [...this.#connections].map(async (connection) => {
        await within(retryAfterMs(), connection.closed);
        if ((await within(patienceMs, connection.canMove())) === true) connection.close("restarting", 0);
      }),
    );
  }

  /**
   * Refuses new connections and closes the open ones, with the time after which to come back. A connection is closed as soon as
   * everything that it follows was delivered to its end; at once if it follows nothing. A client that is still there `patienceMs` after
   * `over` is dropped.
   */
  async close(over: Promise<unknown>, patienceMs: number): Promise<void> {
    const { clock, retryAfterMs } = this.#options;
    this.#stopped.abort();
    const gone = Promise.all(
      [...this.#connections].map(async (connection) => {
        await Promise.race([connection.settle(over), connection.closed]);
        connection.close("restarting", retryAfterMs());
        await connection.closed;
      }),
    );
    const patience = new AbortController();
    await Promise.race([gone, over.then(() => clock.sleep(patienceMs, patience.signal))]);
    patience.abort();
    for (const connection of this.#connections) connection.terminate();
    await gone;
  }

  #revokeAll(): void {
    for (const connection of this.#connections) connection.revoke("restarting", this.#options.retryAfterMs());
  }

  /** The reason why the server accepts no connection at all now. */
  #refuseAll(): HandshakeRefusal | undefined {
    if (this.#stopped.signal.aborted) return this.#unavailable("shutting_down", "The server restarts.");
    if (this.#isPaused)
      return this.#unavailable("storage_unavailable", "The server cannot reach its database.");
    if (this.#connections.size + this.#deciding < this.#options.maxConnections) return undefined;
    return this.#unavailable(
      "too_many_connections",
      "The server has as many sockets open as TROUPE_MAX_CONNECTIONS allows.",
    );
  }

  #unavailable(code: string, message: string): HandshakeRefusal {
    return { status: 503, code, message, retryAfterMs: this.#options.retryAfterMs() };
  }

  /** The refusal of a caller for which there is no place. */
  #refuseMore({ isServerFull, message }: NoPlace): HandshakeRefusal {
    const refusal = this.#unavailable("too_many_connections", message);
    return isServerFull ? refusal : { ...refusal, status: 429 };
  }

  /** The refusal after a fault: either the storage is unavailable, or the fault is unexpected. */
  #refusalAfter(fault: unknown): HandshakeRefusal {
    const { code, retryAfterMs: askedMs } = TroupeError.from(fault);
    if (code === "storage_unavailable") {
      const laterMs = askedMs === undefined ? {} : { retryAfterMs: askedMs };
      return { status: 503, code, message: "The server cannot store or read anything now.", ...laterMs };
    }
    this.#options.observer.faulted?.({ where: "handshake", error: fault });
    return { status: 500, code: "internal_error", message: "The server failed." };
  }

  #refuse(request: IncomingMessage, stream: Duplex, refusal: HandshakeRefusal): void {
    this.#options.onRefused(refusal, request);
    sendRefusal(stream, refusal);
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const refusal = refuseHead(request) ?? this.#refuseAll();
    if (refusal === undefined) void this.#decide(request, stream, head);
    else this.#refuse(request, stream, refusal);
  }

  async #decide(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    const { admit, places } = this.#options;
    // Until the stream is a WebSocket it has no other listener. An error closes it, which is enough.
    stream.on("error", this.#report);
    this.#deciding += 1;
    try {
      const admitted = await admit(request, true);
      if ("status" in admitted) return this.#refuse(request, stream, admitted);
      const none = await places.take(admitted);
      if (none !== undefined) return this.#refuse(request, stream, this.#refuseMore(none));
      this.#complete(request, stream, head, admitted);
    } catch (fault) {
      sendRefusal(stream, this.#refusalAfter(fault));
    } finally {
      this.#deciding -= 1;
      stream.off("error", this.#report);
    }
  }

  /** Opens the socket of a caller that has a place. */
  #complete(request: IncomingMessage, stream: Duplex, head: Buffer, caller: Caller): void {
    let isOpen = false;
    try {
      const refusal = this.#stopped.signal.aborted || this.#isPaused ? this.#refuseAll() : undefined;
      if (refusal !== undefined) {
        this.#refuse(request, stream, refusal);
        return;
      }
      this.#server.handleUpgrade(request, stream, head, (socket) => {
        this.#connections.add(new WsConnection(socket, stream, caller, this.#ofConnections));
        isOpen = true;
      });
    } finally {
      // The client is gone, or its handshake is not valid.
      if (!isOpen) this.#leavePlace(caller);
    }
  }

  /** The counting process may be gone; then this process ends as well. */
  #leavePlace(caller: Caller): void {
    this.#options.places.leave(caller).catch(this.#report);
  }

  async #heartbeat(): Promise<void> {
    const { clock, pingIntervalMs } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await clock.sleep(pingIntervalMs, signal);
      // Pongs that have arrived are read first, in case this process was stalled.
      await new Promise<void>((resolve) => callAfterReading(resolve));
      if (signal.aborted) return;
      for (const connection of this.#connections) connection.beat();
    }
  }
}
