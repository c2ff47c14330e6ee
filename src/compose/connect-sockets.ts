import type { Access } from "../adapters/http/access.ts";
import type { Callers } from "../adapters/http/callers.ts";
import type { ClientAddress } from "../adapters/http/client-address.ts";
import { tokenProtocol } from "../adapters/http/credentials.ts";
import { refusals } from "../adapters/http/refusals.ts";
import { createWsServer, type WsServerOptions } from "../adapters/ws/ws-server.ts";
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

/** Creates the WebSocket server: decides which sockets may open, and connects each to a session. */
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
    async admit(request, isHandshake) {
      const refusal = access.refuseHead(request);
      if (refusal !== undefined) return refusal;
      const { headers, url = "" } = request;
      // A plain request has the secret in a header, a browser's handshake in a subprotocol.
      const protocols = isHandshake ? headers["sec-websocket-protocol"] : protocolOf(headers.authorization);
      const ticket = isHandshake ? ticketIn(url) : undefined;
      const address = clientAddress(request);
      const who = await callers.identify(
        { authorization: headers.authorization, protocols, ticket, address },
        request,
      );
      const caller = "role" in who ? refusals.needsKey : who;
      const holdsKey = callers.admission === "keys" && !("status" in caller);
      const { host, origin } = headers;
      return access.refuseOrigin({ host, origin, protocols, holdsKey }) ?? caller;
    },
    onRefused,
    onFault,
    onHandshakeFault: (fault) => logger.error({ err: fault }, "a handshake could not be checked"),
    isAdmitted: callers.isAdmitted,
    connect: (socket, caller) =>
      new Connection(socket, (audience) => new Session(ofSessions, caller, audience), ofConnections),
  });
}

function ticketIn(url: string): string | undefined {
  return new URLSearchParams(url.split("?", 2)[1]).get("ticket") ?? undefined;
}

function protocolOf(authorization = ""): string | undefined {
  const secret = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  return secret && `${tokenProtocol}${secret}`;
}
