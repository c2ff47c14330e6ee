import { randomBytes } from "node:crypto";
import { sha256 } from "../adapters/system/sha-256.ts";
import { systemClock } from "../adapters/system/system-clock.ts";
import { FastReads } from "../adapters/upstream/fast/fast-reads.ts";
import { createUpstreamAgents } from "../adapters/upstream/upstream-agents.ts";
import { createHandshakeAnswer } from "../doors/http/handshake-answer.ts";
import { createHttpApp } from "../doors/http/http-app.ts";
import { createHttpExchanges } from "../doors/http/http-exchanges.ts";
import { createHttpListener } from "../doors/http/http-listener.ts";
import { mounted } from "../doors/http/mount.ts";
import { createAccess } from "../doors/identity/access.ts";
import { createClientAddress } from "../doors/identity/client-address.ts";
import { keyIdOfUser } from "../doors/identity/embedded-callers.ts";
import { createAdmission } from "../server/budget/admission.ts";
import { createConversationDeletion } from "../server/delete-conversation.ts";
import { recoverTurns } from "../server/recover-turns.ts";
import { createTurns } from "../server/turns.ts";
import { choosePersonas } from "./choose-personas.ts";
import { chooseProviders } from "./choose-providers.ts";
import { connectSockets } from "./connect-sockets.ts";
import type { Logger } from "./logger.ts";
import { pricedModels, warnOfPrices } from "./open-budgets.ts";
import { openCallers } from "./open-callers.ts";
import { openPages } from "./open-pages.ts";
import { type OpenStores, openStores } from "./open-stores.ts";
import { openVendorIds } from "./open-vendor-ids.ts";
import { proxiesOf } from "./provider-settings.ts";
import { completeSettings } from "./read-settings.ts";
import { reportEnds } from "./report-ends.ts";
import { reportRefusals } from "./report-refusals.ts";
import { reportStorage } from "./report-storage.ts";
import { reportWarnings } from "./report-warnings.ts";
import { requestMemory } from "./request-memory.ts";
import { SettingError } from "./settings.ts";
import type { Troupe, TroupeOptions } from "./troupe.ts";

export type { Troupe, TroupeOptions } from "./troupe.ts";

const pathForm = /^(\/[\w~-]+)+$/;
/** The time that clients get to answer the close. */
const closePatienceMs = 1_000;

const nothing = () => undefined;
const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/**
 * Makes a server. It does not listen by itself: see `attach` and `listener`.
 * Settings left out have the defaults of the command line; the environment is not read.
 */
export function createTroupe(options: TroupeOptions = {}): Promise<Troupe> {
  return assembleTroupe(options, openStores);
}

/**
 * Makes a server on stores of any kind, which it closes with itself. With `isWorker`, another process chooses its providers in the same
 * way, and reports and warns about them instead.
 */
export async function assembleTroupe(
  options: TroupeOptions,
  open: OpenStores,
  { isWorker = false } = {},
): Promise<Troupe> {
  const settings = completeSettings(options);
  const { clock = systemClock, logger = silent, random = Math.random } = options;
  const { authenticate, path = "/ws" } = options;
  if (!pathForm.test(path))
    throw new SettingError("path: write it as /ws or /chat/ws, each part of A-Z a-z 0-9 _ ~ -");
  const { pageToken = randomBytes(16).toString("hex") } = options;
  const onFault = (fault: unknown) => logger.debug({ err: fault }, "a connection or a request of it failed");
  const clientAddress = createClientAddress(settings.trustedProxies);
  const onRefused = reportRefusals({ logger, clock, clientAddress });
  /** Disposed in reverse if the start fails. */
  await using begun = new AsyncDisposableStack();
  const onWarning = reportWarnings(logger);
  const fastReads = new FastReads({ isOn: settings.fastReads, onMissing: onWarning });
  const agents = begun.use(createUpstreamAgents(proxiesOf(settings), fastReads));
  const chosen = begun.use(
    await chooseProviders(settings, {
      ...{ clock, agents, random, own: options.providers },
      onWarning: isWorker ? () => undefined : onWarning,
    }),
  );
  const { store: personas, shown } = await choosePersonas(options.personas, authenticate !== undefined);
  const stores = begun.use(await open(settings, { clock, ...reportStorage(logger) }));
  const { logs, conversations, usage, peers, tickets } = stores;
  const callers = openCallers({ settings, stores, clock, authenticate, onWarning });
  const needsKey = callers.admission === "keys";
  const showsToken = callers.admission === "shared" || callers.admission === "separate";
  const vendorIds = await openVendorIds(settings, stores, callers);
  const priced = pricedModels(chosen, onWarning);
  const budgets = await stores.openBudgets(priced);
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
      providers: chosen,
      digest: sha256,
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
    get isMoneyLimited() {
      return settings.moneyPerDay !== undefined && !chosen.isFree;
    },
    turnLimitMs: settings.turnLimitMs,
    ...ends,
  });
  // If the start fails, requests recovered by then are left to the next start.
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
    places: stores.places,
    maxRequestBytes: memory.perConnection,
    onFault,
  });
  begun.defer(() => sockets.close(Promise.resolve(), closePatienceMs));

  stores.keys.onRevoked((keyId) => {
    sockets.closeAllOf(keyId);
    turns.cancelAllOf(keyId);
  });

  const pages = await openPages(
    () => ({
      path,
      personas: shown,
      simulated: chosen.simulated,
      model: chosen.model,
      needsKey,
      makesSecret: callers.admission === "separate",
    }),
    { servedNames: settings.allowedHosts, ...(showsToken ? { pageToken } : {}) },
  );
  const { onAnswering = (summary) => isWorker || logger.info({}, `from now on ${summary}`) } = options;
  void chosen.changed
    .then(() => pages.refresh())
    .then(() => {
      if (!isWorker) warnOfPrices(settings, priced);
      onAnswering(chosen.summary);
    })
    .catch(onFault);
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
    page: pages.served,
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
    get providerSummary() {
      return chosen.summary;
    },
    get simulated() {
      return chosen.simulated;
    },
    renderDiskPage: pages.renderForDisk,
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
      chosen[Symbol.dispose]();
      agents[Symbol.dispose]();
      await stores[Symbol.asyncDispose]();
    },
  };
}
