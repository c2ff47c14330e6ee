import { createChannel, processLine } from "../adapters/cluster/rpc/channel.ts";
import {
  type PrimaryControl,
  primaryControlMethods,
  workerControlMethods,
} from "../adapters/cluster/rpc/control.ts";
import { remotePort, servePort } from "../adapters/cluster/rpc/remote-port.ts";
import { systemClock } from "../adapters/system/system.ts";
import { assembleTroupe, type Troupe, type TroupeOptions } from "./create-troupe.ts";
import { listen, stopServing } from "./listen.ts";
import type { Observing } from "./open-observing.ts";
import { openRemoteStores } from "./open-remote-stores.ts";
import { gatherMs } from "./run-primary.ts";
import type { Settings } from "./settings.ts";
import { stopSignals } from "./stop-on-signals.ts";

/**
 * Serves as one of several processes. The primary process keeps their shared stores; if it exits, the worker exits.
 * `announce` is called in the first process that listens.
 */
export async function runWorker(
  settings: Settings,
  options: Pick<TroupeOptions, "logger" | "pageToken" | "onAnswering" | "configuration" | "observer">,
  { metrics, close }: Observing,
  announce: (troupe: Troupe, port: number) => Promise<void>,
): Promise<void> {
  const channel = createChannel({ line: processLine(process), clock: systemClock, gatherMs });
  let exitCode = 1;
  // Clients must not be shown anything that is not stored.
  channel.ended.addEventListener("abort", () => process.exit(exitCode));
  // A terminal and a service manager signal all processes, but the primary one decides when to stop.
  for (const signal of stopSignals) process.on(signal, () => undefined);
  const maxHttpConnections = Math.ceil(settings.maxHttpConnections / settings.workers);
  const ownSettings = { ...settings, maxHttpConnections, ...options };
  const troupe = await assembleTroupe(ownSettings, openRemoteStores(channel), { isWorker: true });
  metrics?.watch(() => troupe.stats());
  // On Linux all processes can listen at the same port. On other systems the primary process accepts connections and hands them on. If a
  // worker dies at that moment, its connections would stay open forever without being served.
  const listening = await listen(troupe, { ...settings, reusePort: process.platform === "linux" });
  servePort(channel, "control", workerControlMethods, {
    async stop() {
      await stopServing(troupe, listening, settings.lameDuckMs);
      await close();
      exitCode = 0;
    },
    metrics: async () => (await metrics?.snapshot()) ?? "[]",
  });
  const primary = remotePort<PrimaryControl>(channel, "control", primaryControlMethods);
  if (await primary.listening()) await announce(troupe, listening.port);
}
