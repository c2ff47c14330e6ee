import { systemClock } from "../adapters/system/system.ts";
import type { Observer } from "../ports/observer.ts";
import { combineObservers } from "./combine-observers.ts";
import type { TroupeConfig } from "./config-file.ts";
import type { Logger } from "./log-observer.ts";
import type { OpenedMetrics } from "./open-metrics.ts";
import { modelsNamedIn } from "./providers/catalog.ts";
import { SettingError, type Settings } from "./settings.ts";

/** The metrics and the spans of this process, as far as the settings ask for them. */
export interface Observing {
  /** Absent if there is nothing that listens. */
  readonly observer?: Observer;
  readonly metrics?: OpenedMetrics;
  /** Sends the last spans. Never rejects. */
  close(): Promise<void>;
}

interface ObservingParts {
  readonly configuration: TroupeConfig | undefined;
  readonly logger: Logger;
  /** Whether turns run in this process: the first one of several has metrics, but no spans. */
  readonly runsTurns: boolean;
}

/** Opens them. Their libraries are loaded only then. Rejects with a `SettingError` if the packages for spans are not installed. */
export async function openObserving(
  settings: Settings,
  { configuration, logger, runsTurns }: ObservingParts,
): Promise<Observing> {
  const metrics = await openMetricsIfAsked(settings, configuration, logger);
  const spans = runsTurns ? await openSpansIfAsked(settings, logger) : undefined;
  const observers = [metrics, spans].flatMap((one) => (one === undefined ? [] : [one.observer]));
  return {
    ...(observers.length === 0 ? {} : { observer: combineObservers(observers) }),
    ...(metrics === undefined ? {} : { metrics }),
    close: async () => spans?.close(),
  };
}

async function openMetricsIfAsked(
  settings: Settings,
  configuration: TroupeConfig | undefined,
  logger: Logger,
): Promise<OpenedMetrics | undefined> {
  const { metricsPort: port } = settings;
  if (port === undefined) return undefined;
  const { openMetrics } = await import("./open-metrics.ts");
  return openMetrics({ ...settings, port, models: modelsNamedIn(settings, configuration) }, { logger });
}

async function openSpansIfAsked({ otlpEndpoint: endpoint, nodeName }: Settings, logger: Logger) {
  if (endpoint === undefined) return undefined;
  const { exportSpans } = await import("../adapters/opentelemetry/export-spans.ts").catch(
    (cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
      const packages = ["sdk-trace", "exporter-trace-otlp-http", "resources"].map(
        (name) => `@opentelemetry/${name}`,
      );
      throw new SettingError(
        `OTEL_EXPORTER_OTLP_ENDPOINT needs more packages: npm install ${packages.join(" ")}`,
      );
    },
  );
  let hasFailed = false;
  return exportSpans({
    ...{ endpoint, nodeName, clock: systemClock },
    onFault(message) {
      // A collector that is gone fails every few seconds.
      const tell = hasFailed ? logger.debug : logger.warn;
      hasFailed = true;
      tell.call(logger, { cause: message.slice(0, 500) }, "spans could not be sent to the collector");
    },
  });
}
