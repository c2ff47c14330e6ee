import { type DiagLogFunction, DiagLogLevel, diag } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  detectResources,
  envDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Clock } from "../../ports/clock.ts";
import type { Observer } from "../../ports/observer.ts";
import { SpansObserver } from "./spans-observer.ts";

/** How long a stop waits for a collector that does not take the last spans. */
const patienceMs = 2_000;

interface ExportOptions {
  /** The collector's address, without `/v1/traces`. */
  readonly endpoint: string;
  /** `service.instance.id`; absent if the server has no name of its own. */
  readonly nodeName: string | undefined;
  readonly clock: Clock;
  /** Is told of the exporter's faults, such as a collector that is gone. */
  readonly onFault: (message: string) => void;
}

/** Spans on their way to a collector. */
interface ExportedSpans {
  readonly observer: Observer;
  /** Sends the last spans. Gives up after a while, and never rejects. */
  close(): Promise<void>;
}

/**
 * Sends spans to a collector by OTLP over HTTP, a batch every 5 s. The queue is bounded: a collector that is gone costs spans and nothing
 * else. `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and the exporter's own variables (`OTEL_EXPORTER_OTLP_HEADERS`, ...) count.
 */
export function exportSpans({ endpoint, nodeName, clock, onFault }: ExportOptions): ExportedSpans {
  const tell: DiagLogFunction = (message) => onFault(message);
  const ignore: DiagLogFunction = () => undefined;
  const faults = { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(faults, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const own = resourceFromAttributes({
    "service.name": "troupe",
    ...(nodeName === undefined ? {} : { "service.instance.id": nodeName }),
  });
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, "")}/v1/traces` });
  const provider = new TracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector, serviceNameEnvDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  return {
    observer: new SpansObserver(provider.getTracer("troupe")),
    async close() {
      const waiting = new AbortController();
      const stopped = provider.shutdown().catch((error: unknown) => onFault(String(error)));
      await Promise.race([stopped, clock.sleep(patienceMs, waiting.signal)]);
      waiting.abort();
    },
  };
}
