import { createWsServer, type WsServerOptions } from "../adapters/ws/ws-server.ts";
import type { Access } from "../doors/identity/access.ts";
import { createHandshakeAdmission } from "../doors/identity/handshake-admission.ts";
import { Connection } from "../doors/websocket/connection.ts";
import { SharedFrames } from "../doors/websocket/encode-event.ts";
import { Session } from "../server/session.ts";
import type { Turns } from "../server/turns.ts";
import type { Parts } from "./open-parts.ts";

export interface SocketsOptions {
  readonly parts: Parts;
  readonly turns: Turns;
  readonly access: Access;
  readonly onRefused: WsServerOptions["onRefused"];
}

export type Sockets = ReturnType<typeof createWsServer>;

/** Creates the WebSocket server. It checks every handshake, and connects each accepted socket to a session. */
export function connectSockets({ parts, turns, access, onRefused }: SocketsOptions): Sockets {
  const { settings, clock, random, path, callers, clientAddress, stores, observer } = parts;
  const { conversations, places } = stores;
  const ofSessions = {
    ...{ turns, conversations, clock, observer },
    mostInFlight: settings.maxRequestsPerConnection,
    maxBytes: parts.memory.perConnection,
    unnamedGraceMs: settings.unnamedGraceMs,
  };
  const ofConnections = {
    frames: new SharedFrames(),
    observer,
    defaultPacing: {
      mode: settings.pacing,
      chunkChars: { responses: 50, personas: 30 },
      intervalMs: 100,
      maxLagMs: 400,
    },
  };
  return createWsServer({
    ...{ clock, path, places, onRefused, observer },
    pingIntervalMs: settings.pingMs,
    mostConnections: settings.maxConnections,
    retryAfterMs: () => Math.floor(random() * settings.reconnectSpreadMs),
    admit: createHandshakeAdmission({ access, callers, clientAddress }),
    isAdmitted: callers.isAdmitted,
    connect: (socket, caller) =>
      new Connection(socket, (audience) => new Session(ofSessions, caller, audience), ofConnections),
  });
}
