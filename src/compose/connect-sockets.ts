import type { Access } from "../adapters/http/access.ts";
import { type Callers, unauthenticated } from "../adapters/http/callers.ts";
import { createWsServer } from "../adapters/ws/ws-server.ts";
import { Connection } from "../doors/websocket/connection.ts";
import { SharedFrames } from "../doors/websocket/shared-frames.ts";
import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import { Session } from "../server/session.ts";
import type { Turns } from "../server/turns.ts";
import type { Logger } from "./logger.ts";
import type { Settings } from "./settings.ts";

export interface SocketsOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly access: Access;
  readonly callers: Callers;
  readonly turns: Turns;
  readonly conversations: ConversationStore;
  /** Bytes that the requests of one socket may hold. */
  readonly maxRequestBytes: number;
  /** Hears of a connection that failed, which is its client's business. */
  readonly onFault: (fault: unknown) => void;
}

/** The sockets at `/ws`: who may open one, and what each is connected to. */
export function connectSockets({
  settings,
  clock,
  random,
  logger,
  access,
  callers,
  turns,
  conversations,
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
    path: "/ws",
    pingIntervalMs: settings.pingMs,
    mostConnections: settings.maxConnections,
    mostConnectionsPerKey: settings.maxConnectionsPerKey,
    retryAfterMs: () => Math.floor(random() * settings.reconnectSpreadMs),
    async admit({ headers, url = "", socket: { remoteAddress } }) {
      const protocols = headers["sec-websocket-protocol"];
      const ticket = new URLSearchParams(url.split("?", 2)[1]).get("ticket") ?? undefined;
      const who = await callers.identify({
        authorization: headers.authorization,
        protocols,
        ticket,
        remoteAddress,
      });
      const caller = "role" in who ? unauthenticated : who;
      const holdsKey = callers.admission === "keys" && !("status" in caller);
      const { host, origin } = headers;
      return access.refuseHandshake({ host, origin, protocols, holdsKey }) ?? caller;
    },
    onFault,
    isAdmitted: callers.isAdmitted,
    connect: (socket, caller) =>
      new Connection(socket, (audience) => new Session(ofSessions, caller, audience), ofConnections),
  });
}
