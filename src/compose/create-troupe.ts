import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createAccess } from "../adapters/http/access.ts";
import { createClientAddress } from "../adapters/http/client-address.ts";
import { type Authenticate, keyIdOfUser } from "../adapters/http/embedded-callers.ts";
import { createHandshakeAnswer } from "../adapters/http/handshake-answer.ts";
import { createHttpApp } from "../adapters/http/http-app.ts";
import { createHttpExchanges } from "../adapters/http/http-exchanges.ts";
import { createHttpListener } from "../adapters/http/http-listener.ts";
import { mounted } from "../adapters/http/mount.ts";
import { renderPage } from "../adapters/http/page.ts";
import { sha256 } from "../adapters/system/sha-256.ts";
import { systemClock } from "../adapters/system/system-clock.ts";
import { createUpstreamAgents } from "../adapters/upstream/upstream-call.ts";
import type { Clock } from "../ports/clock.ts";
import type { Persona, PersonaStore } from "../ports/persona.ts";
import type { ProviderCatalog } from "../ports/provider-catalog.ts";
import { createAdmission } from "../server/admission.ts";
import { createConversationDeletion } from "../server/delete-conversation.ts";
import { recoverTurns } from "../server/recover-turns.ts";
import { createTurns } from "../server/turns.ts";
import { choosePersonas } from "./choose-personas.ts";
import { chooseProviders } from "./choose-providers.ts";
import { connectSockets } from "./connect-sockets.ts";
import type { Logger } from "./logger.ts";
import { openCallers } from "./open-callers.ts";
import { type OpenStores, openStores } from "./open-stores.ts";
import { openVendorIds } from "./open-vendor-ids.ts";
import { reportEnds } from "./report-ends.ts";
import { reportRefusals } from "./report-refusals.ts";
import { reportStorage } from "./report-storage.ts";
import { reportWarnings } from "./report-warnings.ts";
import { requestMemory } from "./request-memory.ts";
import { defaultSettings, SettingError, type Settings } from "./settings.ts";

export interface TroupeOptions extends Partial<Settings> {
  /** Default: the system's time. Tests pass their own. */
  readonly clock?: Clock;
  /** Uniform in [0, 1), for the spread of retries. Default `Math.random`. */
  readonly random?: () => number;
  /** Providers of one's own instead of those that the settings choose. */
  readonly providers?: ProviderCatalog;
  /**
   * Joins an application's login: tells whose a request is. Nobody else is let in then: neither keys nor tickets count, and a page
   * must be of the server's own origin or an allowed one. Default: the settings decide.
   */
  readonly authenticate?: Authenticate;
  /** The socket's path. Its folder holds the HTTP routes: with `/troupe/ws` the page is at `/troupe/`. Default `/ws`. */
  readonly path?: string;
  /** Personas of one's own instead of the built-in ones: a list, or a store that may have others for each owner. */
  readonly personas?: readonly Persona[] | PersonaStore;
  /** Default: says nothing. */
  readonly logger?: Logger;
  /** Token for pages opened from disk. Default: a fresh one, which nobody knows. */
  readonly pageToken?: string;
}

/** A server inside somebody's HTTP server. */
export interface Troupe {
  /**
   * Takes the WebSocket upgrades for `path` of an HTTP server; the returned function gives them back. Upgrades for other paths get 404
   * while no listener but those of troupes takes upgrades; any other listener has to answer what it does not serve.
   */
  attach(server: Server): () => void;
  /**
   * Answers `/`, `/healthz`, `/readyz`, `/api/...` and plain requests for the socket's path, in the folder of `path` or where a
   * framework mounts it: pass it to `http.createServer`, to `app.use` of Express, or call it before a body is read.
   */
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
  /** One line about who answers. */
  readonly providerSummary: string;
  readonly simulated: boolean;
  /** The test page for opening from disk, holding the page token; where callers need a key it asks for that instead. */
  renderDiskPage(url: string): Promise<string>;
  /**
   * Closes the sockets of an owner as `authenticate` names it, after a logout: its clients come back, and each is asked again who it is.
   * Requests that run go on.
   */
  closeSockets(owner: string): void;
  /** What is in flight now. */
  stats(): {
    readonly connections: number;
    readonly turns: number;
    /** Requests that are counted in: those that start, and those that run. */
    readonly places: number;
    /** Followers of requests, and subscriptions to conversations. */
    readonly watchers: number;
    readonly subscriptions: number;
    /** Tokens that are held back for calls that run; 0 in a process whose budgets another one counts. */
    readonly reservedTokens: number;
    readonly logs: number;
    readonly logBytes: number;
    /** Bytes that requests which wait or run hold, estimated. */
    readonly requestBytes: number;
  };
  /**
   * Stops: refuses new requests, lets running ones end for up to `drainMs` (default: the setting), ends the rest as
   * `interrupted`, and tells every client to come back.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

const pathForm = /^(\/[\w~-]+)+$/;
/** How long clients get to answer the close. */
const closePatienceMs = 1_000;

const nothing = () => undefined;
const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/**
 * Makes a server. It listens nowhere by itself: see `attach` and `listener`.
 * Settings left out have the defaults of the command line; the environment is not read.
 */
export function createTroupe(options: TroupeOptions = {}): Promise<Troupe> {
  return assembleTroupe(options, openStores);
}

/** A server on stores of any kind, which it closes with itself. */
export async function assembleTroupe(options: TroupeOptions, open: OpenStores): Promise<Troupe> {
  const settings: Settings = { ...defaultSettings(), ...options };
  const { clock = systemClock, logger = silent, random = Math.random } = options;
  const { authenticate, path = "/ws" } = options;
  if (!pathForm.test(path))
    throw new SettingError("path: write it as /ws or /chat/ws, each part of A-Z a-z 0-9 _ ~ -");
  const { pageToken = randomBytes(16).toString("hex") } = options;
  const onFault = (fault: unknown) => logger.debug({ err: fault }, "a connection or a request of it failed");
  const clientAddress = createClientAddress(settings.trustedProxies);
  const onRefused = reportRefusals({ logger, clock, clientAddress });
  /** Undone in reverse if the start fails. */
  await using begun = new AsyncDisposableStack();
  const agents = begun.use(createUpstreamAgents(process.env));
  const onWarning = reportWarnings(logger);
  const chosen = await chooseProviders(
    options.providers === undefined ? settings : { ...settings, localProviders: [] },
    {
      clock,
      agents,
      random,
      onWarning,
    },
  );
  const { store: personas, shown } = await choosePersonas(options.personas, authenticate !== undefined);
  const stores = begun.use(await open(settings, { clock, ...reportStorage(logger) }));
  const { logs, conversations, usage, peers, tickets } = stores;
  const callers = openCallers({ settings, stores, clock, authenticate, onWarning });
  const needsKey = callers.admission === "keys";
  const showsToken = callers.admission === "shared" || callers.admission === "separate";
  const simulated = options.providers === undefined && chosen.simulated;
  const vendorIds = await openVendorIds(settings, stores, callers);
  const budgets = await stores.openBudgets({ model: chosen.model, simulated, onWarning });
  const ends = reportEnds(logger);
  const memory = requestMemory(settings);
  const admission = createAdmission({
    budgets,
    mostPerKey: settings.maxRequestsPerKey,
    mostPerOwner: settings.maxRequestsPerOwner,
    mostInAll: settings.maxRequests,
    maxBytesPerOwner: memory.perOwner,
    maxBytes: memory.inAll,
  });
  const turns = createTurns({
    budgets,
    admission,
    chat: {
      clock,
      personas,
      conversations,
      vendorIds,
      providers: options.providers ?? chosen.catalog,
      contextChars: settings.contextChars,
      mostAnswerChars: 4_000_000,
      retry: {
        mostRetries: 2,
        firstDelayMs: 500,
        longestDelayMs: 8_000,
        longestAskedDelayMs: 20_000,
        random,
      },
    },
    digest: sha256,
    logs,
    peers,
    onLeft: () =>
      void recover().catch((fault) => logger.error({ err: fault }, "requests could not be recovered")),
    isAdmitted: callers.isAdmitted,
    isMoneyLimited: settings.moneyPerDay !== undefined && !simulated,
    turnLimitMs: settings.turnLimitMs,
    ...ends,
  });
  // Requests that were recovered by then are left to the next start.
  begun.defer(() => turns.close(0));
  async function recover(): Promise<void> {
    const recovered = await recoverTurns({ logs, conversations, personas, turns, onFault: ends.onFault });
    if (recovered.continued + recovered.interrupted > 0)
      logger.warn(recovered, "requests of a process that is gone were recovered");
  }
  await recover();

  const access = createAccess({
    allowedOrigins: settings.allowedOrigins,
    allowedHosts: settings.allowedHosts,
    host: settings.host,
    isShared: callers.admission === "shared",
    byCookies: callers.admission === "authenticate",
    pageToken,
  });
  const sockets = connectSockets({
    ...{ settings, clock, random, path, logger, access, callers, clientAddress, turns, conversations },
    onRefused,
    maxRequestBytes: memory.perConnection,
    onFault,
  });
  begun.defer(() => sockets.close(Promise.resolve(), closePatienceMs));

  stores.keys.onRevoked((keyId) => {
    sockets.closeAllOf(keyId);
    turns.cancelAllOf(keyId);
  });

  const pageConfiguration = {
    path,
    personas: shown,
    simulated,
    model: chosen.model,
    needsKey,
    makesSecret: callers.admission === "separate",
  };
  const exchanges = createHttpExchanges({
    clock,
    maxInAll: settings.maxHttpConnections,
    maxPerAddress: settings.maxHttpConnectionsPerAddress,
    clientAddress,
    retryAfterMs: () => Math.floor(random() * settings.reconnectSpreadMs),
  });
  let ready = true;
  const onHttpFault = (fault: unknown) => logger.error({ err: fault }, "an HTTP request failed");
  const app = createHttpApp({
    access,
    callers,
    clientAddress,
    onRefused,
    personas,
    keys: stores.keys,
    newSecret: () => `troupe_${randomBytes(32).toString("base64url")}`,
    tickets,
    conversations,
    deleteConversation: createConversationDeletion({ conversations, logs, turns, clock, onFault }),
    logs,
    usage,
    today: budgets.today,
    page: await renderPage(pageConfiguration, settings.allowedHosts),
    onFault: onHttpFault,
  });

  const listener = createHttpListener({
    socketPath: path,
    answerHandshake: createHandshakeAnswer({
      whyRefused: async (request) => access.refuseHead(request) ?? sockets.whyRefused(request),
      onRefused,
    }),
    app,
    access,
    onRefused,
    onFault: onHttpFault,
    async whyNotReady() {
      if (!ready) return "shutting_down";
      return (await stores.canStore()) ? undefined : "storage_unavailable";
    },
  });

  begun.move();
  return {
    attach: sockets.attach,
    listener: mounted(path, exchanges.guard(listener)),
    providerSummary: chosen.summary,
    simulated,
    renderDiskPage: async (url) =>
      (await renderPage({ ...pageConfiguration, url, ...(showsToken ? { token: pageToken } : {}) }, [])).html,
    closeSockets: (owner) => sockets.closeAllOf(keyIdOfUser(owner), "logged_out"),
    stats: () => ({
      connections: sockets.count,
      turns: turns.count,
      places: admission.count,
      watchers: turns.watchers,
      subscriptions: turns.subscriptions,
      reservedTokens: budgets.reservedTokens ?? 0,
      logs: logs.count,
      logBytes: logs.bytes,
      requestBytes: turns.heldBytes,
    }),
    async close({ drainMs = settings.drainMs } = {}) {
      ready = false;
      const turnsEnded = turns.close(drainMs);
      await Promise.all([turnsEnded, sockets.close(turnsEnded, closePatienceMs)]);
      agents[Symbol.dispose]();
      await stores[Symbol.asyncDispose]();
    },
  };
}
