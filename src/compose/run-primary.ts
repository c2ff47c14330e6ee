import cluster from "node:cluster";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createHub } from "../adapters/cluster/primary/hub.ts";
import { createPlaceHub } from "../adapters/cluster/primary/serve-places.ts";
import { placeMethods } from "../adapters/cluster/rpc/handshake-methods.ts";
import { servePort } from "../adapters/cluster/rpc/remote-port.ts";
import { systemClock } from "../adapters/system/system.ts";
import { createUpstreamAgents } from "../adapters/upstream/upstream-call.ts";
import { createSocketPlaces } from "../adapters/ws/socket-places.ts";
import type { Observer } from "../ports/observer.ts";
import type { Prices } from "../ports/prices.ts";
import { chooseProviders } from "./choose-providers.ts";
import { combineObservers } from "./combine-observers.ts";
import type { TroupeConfig } from "./config-file.ts";
import { type Logger, LogObserver } from "./log-observer.ts";
import type { OpenedMetrics } from "./open-metrics.ts";
import { openPrices, warnOfPrices } from "./open-prices.ts";
import { openOwnStores } from "./open-stores.ts";
import { proxiesOf } from "./provider-settings.ts";
import { withFlag } from "./read-flags.ts";
import { requestMemory } from "./request-memory.ts";
import { SettingError, type Settings } from "./settings.ts";
import { type Shared, Workers } from "./supervise-workers.ts";

const clock = systemClock;

/**
 * The process that keeps the workers running, and keeps the stores that they share unless those are in PostgreSQL. It serves no clients
 * itself.
 */
interface Primary {
  /** Stops all workers in order, then closes the stores. */
  stop(): Promise<void>;
  /** Ends all workers at once. */
  kill(): void;
}

interface PrimaryParts {
  /** The content of the config file. */
  readonly configuration: TroupeConfig | undefined;
  readonly logger: Logger;
  /** Absent if none are served. */
  readonly metrics: OpenedMetrics | undefined;
}

/**
 * Starts the workers, each with `args`. Settles when the first one listens, or with `undefined` if it ended before and has said why.
 * Rejects with a `SettingError` for settings that several processes cannot have, and the same as `openOwnStores`.
 */
export async function runPrimary(
  settings: Settings,
  args: readonly string[],
  parts: PrimaryParts,
): Promise<Primary | undefined> {
  const { logger, metrics } = parts;
  const { databaseUrl } = settings;
  if (databaseUrl === undefined && settings.store === "memory") {
    throw new SettingError(
      `TROUPE_WORKERS ${settings.workers} needs a database, which the workers share: TROUPE_STORE=memory has none`,
    );
  }
  await using opening = new AsyncDisposableStack();
  const shared =
    databaseUrl === undefined ? await openShared(settings, parts, opening) : sharedByNodes(settings);
  const workers = new Workers(shared, { clock, logger, metrics });
  const served = await metrics?.serve();
  if (served !== undefined) opening.defer(() => served.stop(Promise.resolve()));
  const port = await findPort(settings);
  cluster.setupPrimary({ serialization: "advanced", args: withFlag(args, "port", String(port)) });
  const first = workers.start();
  await Promise.race([first.listening, first.ended]);
  if (!workers.hasAnnounced) {
    const { pid, signalCode } = first.worker.process;
    // A killed worker could not say why it ended.
    if (signalCode !== null) logger.error({ worker: pid, signalCode }, "the first worker was killed");
    return undefined;
  }
  const opened = opening.move();
  void workers.keepRunning(first);
  for (let count = 1; count < settings.workers; count += 1) void workers.keepRunning(workers.start());
  return {
    async stop() {
      await workers.stop();
      await opened.disposeAsync();
    },
    kill: () => workers.kill(),
  };
}

async function openShared(
  settings: Settings,
  { configuration, logger, metrics }: PrimaryParts,
  opening: AsyncDisposableStack,
): Promise<Shared> {
  const log = new LogObserver(logger, clock);
  const observer = combineObservers(metrics === undefined ? [log] : [log, metrics.observer]);
  const prices = await pricesOfAnswering(settings, { configuration, logger, observer, stack: opening });
  const stores = opening.use(await openOwnStores(settings, { clock, observer }));
  const { inAll } = requestMemory(settings);
  const hub = await createHub({
    ...stores,
    budgets: await stores.openBudgets(prices),
    maxPerKey: settings.maxRequestsPerKey,
    maxPerOwner: settings.maxRequestsPerOwner,
    maxInAll: settings.maxRequests,
    // Each worker limits its own memory. At most half of that is held here: the request once or twice, and none of its calls.
    maxBytesPerOwner: settings.maxRequestBytesPerOwner ?? inAll,
    maxBytes: settings.maxRequestBytes ?? 2 * inAll,
    observer,
  });
  return { admit: hub.admit, canStore: stores.canStore };
}

/**
 * Workers on PostgreSQL are nodes, which share the places of sockets at their port and nothing else. The system gives each worker some of the
 * sockets, so a small limit of a key could not be divided.
 */
function sharedByNodes(settings: Settings): Shared {
  const places = createSocketPlaces({
    maxInAll: settings.maxConnections,
    maxPerKey: settings.maxConnectionsPerKey,
  });
  return {
    admit: (channel) => servePort(channel, "places", placeMethods, createPlaceHub(places, channel.ended)),
    // A node asks its own store.
    canStore: async () => true,
  };
}

interface WhoAnswers {
  readonly configuration: TroupeConfig | undefined;
  readonly logger: Logger;
  readonly observer: Observer;
  readonly stack: AsyncDisposableStack;
}

/**
 * The prices of the workers' providers. Each worker chooses for itself; this process also chooses, to report a local server that starts
 * later only once.
 */
async function pricesOfAnswering(
  settings: Settings,
  { configuration, logger, observer, stack }: WhoAnswers,
): Promise<Prices> {
  const agents = stack.use(createUpstreamAgents(proxiesOf(settings)));
  const chosen = stack.use(
    await chooseProviders(settings, {
      configuration,
      clock,
      agents,
      random: Math.random,
      observer,
      ownObserver: observer,
    }),
  );
  const prices = await openPrices(settings, { models: chosen, configuration, clock });
  warnOfPrices(settings, prices, { models: chosen, observer });
  void chosen.changed.then(() => {
    warnOfPrices(settings, prices, { models: chosen, observer });
    logger.info({}, `from now on ${chosen.summary}`);
  });
  return prices;
}

/** The port for all workers. Rejects if another program has it, which workers that share the port would not notice. */
async function findPort({ host, port: asked }: Settings): Promise<number> {
  const server = createServer().listen({ host: host === "localhost" ? "127.0.0.1" : host, port: asked });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
