import { createChannel } from "../adapters/cluster/channel.ts";
import {
  type PrimaryControl,
  primaryControlMethods,
  workerControlMethods,
} from "../adapters/cluster/control.ts";
import { processLine } from "../adapters/cluster/process-line.ts";
import { remotePort, servePort } from "../adapters/cluster/remote-port.ts";
import { systemClock } from "../adapters/system/system-clock.ts";
import { assembleTroupe, type Troupe, type TroupeOptions } from "./create-troupe.ts";
import { listen } from "./listen.ts";
import { openRemoteStores } from "./open-remote-stores.ts";
import { gatherMs } from "./run-primary.ts";
import type { Settings } from "./settings.ts";

/**
 * Serves as one of several processes: what they share is kept by the one that started this one, and when that is gone, so is this.
 * `announce` is called in the first process that listens.
 */
export async function runWorker(
  settings: Settings,
  options: Pick<TroupeOptions, "logger" | "pageToken" | "onAnswering">,
  announce: (troupe: Troupe, port: number) => Promise<void>,
): Promise<void> {
  const channel = createChannel({ line: processLine(process), clock: systemClock, gatherMs });
  let exitCode = 1;
  // Nobody may be shown anything that is kept nowhere.
  channel.ended.addEventListener("abort", () => process.exit(exitCode));
  // A terminal and a service manager send their signals to all processes, but the first one says when to stop.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => undefined);
  const maxHttpConnections = Math.ceil(settings.maxHttpConnections / settings.workers);
  const ownSettings = { ...settings, maxHttpConnections, ...options };
  const troupe = await assembleTroupe(ownSettings, openRemoteStores(channel), { isWorker: true });
  // Linux lets all listen at the same port. Elsewhere the first process accepts connections and hands them on, which leaves those
  // open and unserved for ever that a dying worker was about to be given.
  const listening = await listen(troupe, { ...settings, reusePort: process.platform === "linux" });
  servePort(channel, "control", workerControlMethods, {
    async stop() {
      await listening.stop(troupe.close());
      exitCode = 0;
    },
  });
  const primary = remotePort<PrimaryControl>(channel, "control", primaryControlMethods);
  if (await primary.listening()) await announce(troupe, listening.port);
}
