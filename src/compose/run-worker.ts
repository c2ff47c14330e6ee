import cluster from "node:cluster";
import { type Channel, createChannel, processLine } from "../adapters/cluster/rpc/channel.ts";
import {
  type PrimaryControl,
  primaryControlMethods,
  workerControlMethods,
} from "../adapters/cluster/rpc/control.ts";
import { remotePort, servePort } from "../adapters/cluster/rpc/remote-port.ts";
import { systemClock as clock } from "../adapters/system/system.ts";
import type { Nodes } from "../ports/nodes.ts";
import { assembleTroupe, type Troupe, type TroupeOptions } from "./create-troupe.ts";
import { keepServing, type Serving, serveAt } from "./keep-serving.ts";
import { listen, stopServing } from "./listen.ts";
import type { Logger } from "./log-observer.ts";
import type { Observing } from "./open-observing.ts";
import { openRemotePlaces, openRemoteStores } from "./open-remote-stores.ts";
import { openStores } from "./open-stores.ts";
import type { Settings } from "./settings.ts";
import { stopSignals } from "./stop-on-signals.ts";
import type { OpenStores } from "./stores.ts";
import { gatherMs } from "./supervise-workers.ts";

interface WorkerOptions
  extends Pick<TroupeOptions, "pageToken" | "onAnswering" | "configuration" | "observer"> {
  readonly logger: Logger;
  readonly observing: Observing;
  /** Called in the first process that listens. */
  readonly announce: (troupe: Troupe, port: number) => Promise<void>;
}

/**
 * Serves as one of several processes. If the primary process exits, the worker exits. Settles once it listens; `lost` rejects if it was
 * taken over as a node and can never start again.
 */
export async function runWorker(
  settings: Settings,
  { announce, observing: { metrics, close }, ...options }: WorkerOptions,
): Promise<{ readonly lost: Promise<void> }> {
  const channel = createChannel({ line: processLine(process), clock, gatherMs });
  let exitCode = 1;
  // Clients must not be shown anything that is not stored.
  channel.ended.addEventListener("abort", () => process.exit(exitCode));
  // A terminal and a service manager signal all processes, but the primary one decides when to stop.
  for (const signal of stopSignals) process.on(signal, () => undefined);
  const stores = settings.databaseUrl === undefined ? storesOfPrimary(channel) : storesOfNode(channel);
  let current: Serving | undefined;
  let stop: () => Promise<void> = async () => undefined;

  async function serve(port: number): Promise<Serving> {
    const { open, isWorker } = stores;
    const troupe = await assembleTroupe({ ...shareOf(settings), ...options }, open, { isWorker });
    // On Linux all processes can listen at the same port. On other systems the primary process accepts connections and hands them on. If a
    // worker dies at that moment, its connections would stay open forever without being served.
    const reusePort = process.platform === "linux";
    const serving = await serveAt(troupe, () => listen(troupe, { ...settings, port, reusePort }));
    current = serving;
    stop = async () => {
      // Now all workers have told that they stop, and this look sees it.
      await stores.leave();
      await stopServing(troupe, serving.listening, settings.lameDuckMs);
    };
    return serving;
  }

  const first = await serve(settings.port);
  metrics?.watch(() => (current ?? first).troupe.stats());
  servePort(channel, "control", workerControlMethods, {
    leave: stores.leave,
    async stop() {
      await stop();
      await close();
      exitCode = 0;
    },
    metrics: async () => (await metrics?.snapshot()) ?? "[]",
  });
  const primary = remotePort<PrimaryControl>(channel, "control", primaryControlMethods);
  if (await primary.listening()) await announce(first.troupe, first.listening.port);
  const { logger } = options;
  function onAway(stopWaiting: () => void): void {
    stop = async () => stopWaiting();
  }
  return { lost: keepServing(first, { clock, logger, serve, onAway }) };
}

interface WorkerStores {
  readonly open: OpenStores;
  /** Whether another process reports and warns of the providers and the database. */
  readonly isWorker: boolean;
  /** Tells other nodes that this one stops, and looks at them. */
  readonly leave: () => Promise<void>;
}

/** The stores that the primary process keeps. */
function storesOfPrimary(channel: Channel): WorkerStores {
  return { open: openRemoteStores(channel), isWorker: true, leave: async () => undefined };
}

/** The stores of a node, which shares only the places of its machine's sockets with the other workers. */
function storesOfNode(channel: Channel): WorkerStores {
  let nodes: Nodes | undefined;
  return {
    async open(settings, parts) {
      const stores = await openStores(settings, parts);
      nodes = stores.nodes;
      return { ...stores, places: openRemotePlaces(channel) };
    },
    // The primary process knows no providers.
    isWorker: cluster.worker?.id !== 1,
    async leave() {
      nodes?.drain();
      await nodes?.refresh();
    },
  };
}

/** The settings of one worker. Limits that no process counts for all are divided. */
function shareOf(settings: Settings): Settings {
  const share = (limit: number) => Math.ceil(limit / settings.workers);
  const maxHttpConnections = share(settings.maxHttpConnections);
  if (settings.databaseUrl === undefined) return { ...settings, maxHttpConnections };
  const { maxRequests, logBytes } = settings;
  return { ...settings, maxHttpConnections, maxRequests: share(maxRequests), logBytes: share(logBytes) };
}
