import { Gauge, Registry } from "prom-client";
import type { Observer } from "../../ports/observer.ts";
import { createInstruments } from "./instruments.ts";
import { MetricsObserver } from "./metrics-observer.ts";
import { registerProcessMetrics } from "./process-metrics.ts";

/** Counts of a server that are read when Prometheus asks, because keeping them up to date would cost more. */
interface WatchedCounts {
  readonly watchers: number;
  readonly logs: number;
  readonly logBytes: number;
  readonly requestBytes: number;
}

/** The metrics of one process. */
export interface Metrics extends Disposable {
  readonly observer: Observer;
  /** Reads the counts of this server from now on. To be called once. */
  watch(counts: () => WatchedCounts): void;
  /** All metrics as JSON; `decodeSnapshot` reads it. */
  snapshot(): Promise<string>;
}

/** Creates the metrics of this process. Calls of a model that is not one of `models` have the label `other`. */
export function createMetrics({ models }: { readonly models: Iterable<string> }): Metrics {
  const registry = new Registry();
  const observer = new MetricsObserver(createInstruments(registry), models);
  const ofProcess = registerProcessMetrics(registry);
  return {
    observer,
    watch: (counts) => watch(registry, counts),
    snapshot: async () => JSON.stringify(await registry.getMetricsAsJSON()),
    [Symbol.dispose]: () => ofProcess[Symbol.dispose](),
  };
}

function watch(registry: Registry, counts: () => WatchedCounts): void {
  const shown = [
    ["troupe_followers", "Followers of requests.", "watchers"],
    ["troupe_logs", "Logs of requests in memory.", "logs"],
    ["troupe_log_bytes", "Memory of the logs of requests.", "logBytes"],
    ["troupe_request_bytes", "Bytes that waiting and running requests hold, estimated.", "requestBytes"],
  ] as const;
  for (const [name, help, count] of shown)
    new Gauge({
      ...{ name, help, registers: [registry] },
      collect() {
        this.set(counts()[count]);
      },
    });
}
