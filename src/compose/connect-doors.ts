import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { WsServer, type WsServerOptions } from "../adapters/ws/ws-server.ts";
import { createHandshakeAnswer } from "../doors/http/handshake-answer.ts";
import { createHttpApp } from "../doors/http/http-app.ts";
import { createHttpExchanges } from "../doors/http/http-exchanges.ts";
import { createHttpListener } from "../doors/http/http-listener.ts";
import { mounted } from "../doors/http/mount.ts";
import { type PageConfiguration, renderPage } from "../doors/http/page.ts";
import { type Access, createAccess, hostName, readOrigin } from "../doors/identity/access.ts";
import type { ClientAddress } from "../doors/identity/client-address.ts";
import { createHandshakeAdmission } from "../doors/identity/handshake-admission.ts";
import { Connection } from "../doors/websocket/connection.ts";
import { SharedFrames } from "../doors/websocket/outbox.ts";
import type { Nodes } from "../ports/nodes.ts";
import type { Observer, RefusalFacts } from "../ports/observer.ts";
import { createConversationDeletion } from "../server/delete-conversation.ts";
import { Session } from "../server/session.ts";
import type { Turns } from "../server/turns.ts";
import type { Parts } from "./open-parts.ts";

/** The time that clients get to answer the close. */
export const closePatienceMs = 1_000;

export interface ConnectedDoors {
  readonly sockets: WsServer;
  readonly pages: Awaited<ReturnType<typeof openPages>>;
  readonly listener: ReturnType<typeof mounted>;
  /** From now on the server says that it is not ready. */
  leave(): void;
}

/** Connects the turns to the WebSocket and to the HTTP routes. `begun` closes the sockets if the start fails. */
export async function connectDoors(
  parts: Parts,
  { turns, nodes }: { readonly turns: Turns; readonly nodes: Nodes },
  begun: AsyncDisposableStack,
): Promise<ConnectedDoors> {
  const access = openAccess(parts);
  const sockets = connectSockets({ parts, turns, access, onRefused: refusalsAt("handshake", parts) });
  begun.defer(() => sockets.close(Promise.resolve(), closePatienceMs));
  const pages = await pagesOf(parts);
  const ready = { isReady: true };
  const listener = openListener({ parts, turns, nodes, access, sockets, pages, ready });
  const exchanges = createHttpExchanges({
    clock: parts.clock,
    maxInAll: parts.settings.maxHttpConnections,
    maxPerAddress: parts.settings.maxHttpConnectionsPerAddress,
    clientAddress: parts.clientAddress,
    retryAfterMs: () => Math.floor(parts.random() * parts.settings.reconnectSpreadMs),
  });
  return {
    ...{ sockets, pages },
    listener: mounted(parts.path, exchanges.guard(listener)),
    leave() {
      ready.isReady = false;
    },
  };
}

function openAccess({ settings, callers, pageToken }: Parts): Access {
  return createAccess({
    allowedOrigins: settings.allowedOrigins,
    allowedHosts: settings.allowedHosts,
    host: settings.host,
    isShared: callers.admission === "shared",
    byCookies: callers.admission === "authenticate",
    pageToken,
  });
}

function pagesOf({ settings, path, shownPersonas: personas, providers, callers, pageToken }: Parts) {
  const { admission } = callers;
  const showsToken = admission === "shared" || admission === "separate";
  return openPages(
    () => ({
      ...{ path, personas },
      simulated: providers.simulated,
      model: providers.model,
      needsKey: admission === "keys",
      makesSecret: admission === "separate",
    }),
    { servedNames: settings.allowedHosts, ...(showsToken ? { pageToken } : {}) },
  );
}

interface ListenerParts {
  readonly parts: Parts;
  readonly turns: Turns;
  readonly nodes: Nodes;
  readonly access: Access;
  readonly sockets: WsServer;
  readonly pages: ConnectedDoors["pages"];
  readonly ready: { readonly isReady: boolean };
}

function openListener({ parts, turns, nodes, access, sockets, pages, ready }: ListenerParts) {
  const { stores, callers, clientAddress, personas, providers, budgets, clock, observer } = parts;
  const { logs, conversations, keys, tickets, usage } = stores;
  const onRefused = refusalsAt("http", parts);
  const app = createHttpApp({
    ...{ access, callers, clientAddress, onRefused, personas },
    ...{ keys, tickets, conversations, logs, nodes, usage, observer },
    newSecret: () => `troupe_${randomBytes(32).toString("base64url")}`,
    deleteConversation: createConversationDeletion({ conversations, logs, turns, clock, observer }),
    prices: parts.prices,
    listModels: async () => (await providers.list?.()) ?? [],
    today: budgets.today,
    page: pages.served,
  });
  return createHttpListener({
    socketPath: parts.path,
    answerHandshake: createHandshakeAnswer({
      whyRefused: async (request) => access.refuseHead(request) ?? sockets.whyRefused(request),
      onRefused,
    }),
    ...{ app, access, onRefused, observer },
    async whyNotReady() {
      if (!ready.isReady) return "shutting_down";
      return (await stores.canStore()) ? undefined : "storage_unavailable";
    },
  });
}

/** A longer name or origin is cut. */
const maxChars = 100;

/** Tells refused heads. Of the client's own text only a valid host name and a valid origin are told. */
function refusalsAt(
  at: "handshake" | "http",
  { observer, clientAddress }: { readonly observer: Observer; readonly clientAddress: ClientAddress },
) {
  type Refused = Pick<Exclude<RefusalFacts, { at: "frame" }>, "code" | "status" | "message">;
  return ({ code, status, message }: Refused, request: IncomingMessage): void =>
    observer.refused?.({
      ...{ at, code, status, message },
      client: () => ({
        address: clientAddress(request),
        host: hostName(request.headers.host)?.slice(0, maxChars),
        origin: readOrigin(request.headers.origin)?.slice(0, maxChars),
      }),
    });
}

interface SocketsOptions {
  readonly parts: Parts;
  readonly turns: Turns;
  readonly access: Access;
  readonly onRefused: WsServerOptions["onRefused"];
}

/** Creates the WebSocket server. It checks every handshake, and connects each accepted socket to a session. */
function connectSockets({ parts, turns, access, onRefused }: SocketsOptions): WsServer {
  const { settings, clock, random, path, callers, clientAddress, stores, observer } = parts;
  const { conversations, places } = stores;
  const ofSessions = {
    ...{ turns, conversations, clock, observer },
    maxInFlight: settings.maxRequestsPerConnection,
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
  return new WsServer({
    ...{ clock, path, places, onRefused, observer },
    pingIntervalMs: settings.pingMs,
    maxConnections: settings.maxConnections,
    retryAfterMs: () => Math.floor(random() * settings.reconnectSpreadMs),
    admit: createHandshakeAdmission({ access, callers, clientAddress }),
    isAdmitted: callers.isAdmitted,
    isCutOff: stores.isCutOff,
    connect: (socket, caller) =>
      new Connection(socket, (audience) => new Session(ofSessions, caller, audience), ofConnections),
  });
}

interface PagesOptions {
  /** Host names under which a proxy that ends TLS serves the page. */
  readonly servedNames: readonly string[];
  /** The token of a page that is opened from disk. */
  readonly pageToken?: string;
}

/** The test page, served and for opening from disk, with the configuration at the time of rendering. */
async function openPages(
  configuration: () => Omit<PageConfiguration, "url" | "token">,
  { servedNames, pageToken }: PagesOptions,
) {
  const render = () => renderPage(configuration(), servedNames);
  let served = await render();

  return {
    served: {
      get html() {
        return served.html;
      },
      get policy() {
        return served.policy;
      },
    },
    /** Renders the served page again. */
    async refresh(): Promise<void> {
      served = await render();
    },
    async renderForDisk(url: string): Promise<string> {
      const token = pageToken === undefined ? {} : { token: pageToken };
      return (await renderPage({ ...configuration(), url, ...token }, [])).html;
    },
  };
}
