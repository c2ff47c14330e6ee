import { createWsServer, type WsServerOptions } from "../adapters/ws/ws-server.ts";
import type { Access } from "../doors/identity/access.ts";
import type { Callers } from "../doors/identity/callers.ts";
import type { ClientAddress } from "../doors/identity/client-address.ts";
import { createHandshakeAdmission } from "../doors/identity/handshake-admission.ts";
import { Connection } from "../doors/websocket/connection.ts";
import { SharedFrames } from "../doors/websocket/shared-frames.ts";
import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { SocketPlaces } from "../ports/socket-places.ts";
import { Session } from "../server/session.ts";
import type { Turns } from "../server/turns.ts";
import type { Logger } from "./logger.ts";
import type { Settings } from "./settings.ts";

export interface SocketsOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly path: string;
  readonly logger: Logger;
  readonly access: Access;
  readonly callers: Callers;
  readonly clientAddress: ClientAddress;
  readonly onRefused: WsServerOptions["onRefused"];
  readonly turns: Turns;
  readonly conversations: ConversationStore;
  readonly places: SocketPlaces;
  /** Maximum bytes that the requests of one socket may hold. */
  readonly maxRequestBytes: number;
  /** Called when a connection failed, which concerns only its client. */
  readonly onFault: (fault: unknown) => void;
}

/** Creates the WebSocket server. It checks every handshake, and connects each accepted socket to a session. */
export function connectSockets({
  settings,
  clock,
  random,
  path,
  logger,
  access,
  callers,
  clientAddress,
  onRefused,
  turns,
  conversations,
  places,
  maxRequestBytes,
  onFault,
}: SocketsOptions) {
  const ofSessions = {
    turns,
    conversations,
    clock,
    mostInFlight: settings.maxRequestsPerConnection,
    maxBytes: maxRequestBytes,
    unnamedGraceMs: settings.unnamedGraceMs,
    onFault,
  };
  const ofConnections = {
    frames: new SharedFrames(),
    onFault: (fault: unknown) => logger.error({ err: fault }, "a frame could not be handled"),
    defaultPacing: {
      mode: settings.pacing,
      chunkChars: { responses: 50, personas: 30 },
      intervalMs: 100,
      maxLagMs: 400,
    },
  };
  return createWsServer({
    clock,
    path,
    pingIntervalMs: settings.pingMs,
    mostConnections: settings.maxConnections,
    places,
    retryAfterMs: () => Math.floor(random() * settings.reconnectSpreadMs),
    admit: createHandshakeAdmission({ access, callers, clientAddress }),
    onRefused,
    onFault,
    onHandshakeFault: (fault) => logger.error({ err: fault }, "a handshake could not be checked"),
    isAdmitted: callers.isAdmitted,
    connect: (socket, caller) =>
      new Connection(socket, (audience) => new Session(ofSessions, caller, audience), ofConnections),
  });
}
