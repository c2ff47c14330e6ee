import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createHub, type Hub } from "../adapters/cluster/primary/hub.ts";
import { createChannel, processLine } from "../adapters/cluster/rpc/channel.ts";
import {
  primaryControlMethods,
  type WorkerControl,
  workerControlMethods,
} from "../adapters/cluster/rpc/control.ts";
import { remotePort, servePort } from "../adapters/cluster/rpc/remote-port.ts";
import { systemClock } from "../adapters/system/system.ts";
import { createUpstreamAgents } from "../adapters/upstream/upstream-call.ts";
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

const clock = systemClock;
/** How long a worker's messages in the middle of answers are gathered. The store then gathers the messages of all workers again. */
export const gatherMs = 10;
/** The start of a worker that has served this long was not the reason for its end. */
const settledMs = 30_000;

/** The process that keeps the workers' shared stores, and keeps the workers running. It serves no clients itself. */
interface Primary {
  /** Stops all workers in order, then closes the stores. */
  stop(): Promise<void>;
  /** Ends all workers at once. */
  kill(): void;
}

interface RunningWorker {
  readonly worker: Worker;
  readonly control: WorkerControl;
  readonly listening: Promise<void>;
  readonly ended: Promise<unknown>;
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
  if (settings.databaseUrl !== undefined) {
    throw new SettingError(
      `TROUPE_WORKERS ${settings.workers} needs the database in the data folder; with TROUPE_DATABASE_URL start several servers instead`,
    );
  }
  if (settings.store === "memory") {
    throw new SettingError(
      `TROUPE_WORKERS ${settings.workers} needs a database, which the workers share: TROUPE_STORE=memory has none`,
    );
  }
  await using opening = new AsyncDisposableStack();
  const workers = new Workers(await openShared(settings, parts, opening), logger, metrics);
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

/** The parts of this process that its workers use. */
interface Shared {
  readonly hub: Hub;
  readonly canStore: () => Promise<boolean>;
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
  return { hub, canStore: stores.canStore };
}

/** The worker processes. */
class Workers {
  readonly #shared: Shared;
  readonly #logger: Logger;
  readonly #metrics: OpenedMetrics | undefined;
  readonly #stopping = new AbortController();
  readonly #running = new Set<RunningWorker>();
  #hasAnnounced = false;

  constructor(shared: Shared, logger: Logger, metrics: OpenedMetrics | undefined) {
    this.#shared = shared;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  /** Whether one of them has ever listened. */
  get hasAnnounced(): boolean {
    return this.#hasAnnounced;
  }

  start(): RunningWorker {
    const { hub, canStore } = this.#shared;
    const worker = cluster.fork();
    const channel = createChannel({ line: processLine(worker), clock, gatherMs, speaksSecond: true });
    const listening = Promise.withResolvers<void>();
    hub.admit(channel);
    servePort(channel, "control", primaryControlMethods, {
      listening: async () => {
        const announces = !this.#hasAnnounced;
        this.#hasAnnounced = true;
        listening.resolve();
        return announces;
      },
      canStore,
    });
    const control = remotePort<WorkerControl>(channel, "control", workerControlMethods);
    const ended = once(worker, "exit");
    const started = { worker, control, listening: listening.promise, ended };
    this.#running.add(started);
    this.#metrics?.addProcess(control.metrics, ended);
    void ended.then(() => this.#running.delete(started));
    return started;
  }

  /** Starts another worker whenever one has ended. */
  async keepRunning(first: RunningWorker): Promise<void> {
    const { signal } = this.#stopping;
    let endsInARow = 0;
    for (let current = first; ; current = this.start()) {
      const startedAtMs = clock.now();
      await current.ended;
      if (signal.aborted) return;
      endsInARow = clock.now() - startedAtMs < settledMs ? endsInARow + 1 : 1;
      const delayMs = restartDelayMs(endsInARow);
      this.#logger.error(
        { worker: current.worker.process.pid, delayMs },
        "a worker ended; another takes its place",
      );
      await clock.sleep(delayMs, signal);
      if (signal.aborted) return;
    }
  }

  /** Stops all of them in order; settles when they have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#running].map((one) => this.#stopOne(one)));
  }

  kill(): void {
    for (const { worker } of this.#running) worker.process.kill("SIGKILL");
  }

  async #stopOne({ worker, control, ended }: RunningWorker): Promise<void> {
    try {
      await control.stop();
      worker.disconnect();
    } catch (fault) {
      // It is gone, or does not serve clients yet.
      this.#logger.debug({ err: fault }, "a worker could not be stopped in order");
      worker.process.kill("SIGKILL");
    }
    await ended;
  }
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

const firstDelayMs = 100;
/** Short, so that clients hear of an interrupted answer within seconds even when no worker is left. */
const maxDelayMs = 2_000;

/** The wait before a worker is restarted, from the number of times in a row that it ended without having served for a while. */
function restartDelayMs(endsInARow: number): number {
  return Math.min(firstDelayMs * 2 ** (endsInARow - 1), maxDelayMs);
}
