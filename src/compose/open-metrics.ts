import type { IncomingMessage, ServerResponse } from "node:http";
import { createMetrics, type Metrics } from "../adapters/prometheus/metrics.ts";
import { decodeSnapshot, encodeText, type Snapshot, sumOfEnded } from "../adapters/prometheus/snapshot.ts";
import { systemClock } from "../adapters/system/system.ts";
import type { Clock } from "../ports/clock.ts";
import { type Listening, listen } from "./listen.ts";
import type { Logger } from "./log-observer.ts";
import { SettingError, type Settings } from "./settings.ts";

/** A process that does not answer within this time counts with its last figures. Prometheus gives up after 10 s by default. */
const patienceMs = 1_000;
const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** The metrics of this process, and of others that it adds up. */
export interface OpenedMetrics extends Metrics {
  /** Adds up the metrics of another process, which `ask` gets from it. */
  addProcess(ask: () => Promise<string>, ended: Promise<unknown>): void;
  /** Listens at the address of the settings and says so. Rejects with a `SettingError` if the port is in use. */
  serve(): Promise<Listening>;
}

interface MetricsSettings extends Pick<Settings, "metricsHost"> {
  readonly port: number;
  /** The models that have labels of their own. */
  readonly models: Iterable<string>;
}

interface MetricsParts {
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Is given the line for the operator. Default: the standard output. */
  readonly say?: (line: string) => void;
}

/** Opens the metrics of a process. */
export function openMetrics(
  { port, metricsHost: host, models }: MetricsSettings,
  { logger, clock = systemClock, say = (line) => process.stdout.write(line) }: MetricsParts,
): OpenedMetrics {
  const metrics = createMetrics({ models });
  const processes = new Processes(metrics, clock);
  const onFault = (error: unknown) => logger.error({ err: error }, "the metrics could not be read");
  return {
    ...metrics,
    addProcess: (ask, ended) => processes.add(ask, ended, onFault),
    async serve() {
      const listener = createMetricsListener(() => processes.text(), onFault);
      const listening = await listen({ listener, attach: () => () => undefined }, { host, port }).catch(
        (error: NodeJS.ErrnoException) => {
          if (error.code !== "EADDRINUSE") throw error;
          throw new SettingError(`TROUPE_METRICS_PORT: port ${port} is in use`);
        },
      );
      const shown = host.includes(":") ? `[${host}]` : host;
      say(`  metrics   http://${shown}:${listening.port}/metrics\n`);
      return listening;
    },
  };
}

/** Another process, with the metrics that it gave last. */
interface OtherProcess {
  readonly ask: () => Promise<string>;
  last: Snapshot;
}

/** Adds up the metrics of this process and of the others. */
class Processes {
  readonly #own: Metrics;
  readonly #clock: Clock;
  readonly #others = new Set<OtherProcess>();
  /**
   * The last metrics of processes that have ended. Their counters stay in the sum for good: Prometheus would take a smaller sum for a
   * restart, and would count all of it again.
   */
  #ended: Snapshot[] = [];
  #reading: Promise<string> | undefined;

  constructor(own: Metrics, clock: Clock) {
    this.#own = own;
    this.#clock = clock;
  }

  add(ask: OtherProcess["ask"], ended: Promise<unknown>, onFault: (error: unknown) => void): void {
    const other: OtherProcess = { ask, last: [] };
    this.#others.add(other);
    ended
      .then(() => {
        this.#others.delete(other);
        this.#ended.push(other.last);
      })
      .catch(onFault);
  }

  /** Scrapes at the same time share one reading. */
  text(): Promise<string> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<string> {
    const patience = new AbortController();
    const late = this.#clock.sleep(patienceMs, patience.signal).then(() => undefined);
    try {
      await Promise.all([...this.#others].map((other) => refresh(other, late)));
    } finally {
      patience.abort();
    }
    const own = decodeSnapshot(await this.#own.snapshot());
    await this.#sumUpEnded();
    return encodeText([own, ...this.#ended, ...[...this.#others].map(({ last }) => last)]);
  }

  /** Otherwise a worker that ends at each start would leave ever more. Another one may end meanwhile. */
  async #sumUpEnded(): Promise<void> {
    const summed = this.#ended.length;
    if (summed === 0) return;
    const sum = await sumOfEnded(this.#ended);
    this.#ended.splice(0, summed, sum);
  }
}

async function refresh(other: OtherProcess, late: Promise<undefined>): Promise<void> {
  // A process that is gone rejects, and then counts with its last figures as well.
  const answer = await Promise.race([other.ask().catch(() => undefined), late]);
  if (answer !== undefined) other.last = decodeSnapshot(answer);
}

function createMetricsListener(read: () => Promise<string>, onFault: (error: unknown) => void) {
  async function answer(response: ServerResponse): Promise<void> {
    try {
      const body = await read();
      response.writeHead(200, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
      response.end(body);
    } catch (error) {
      onFault(error);
      response.writeHead(500).end();
    }
  }

  return ({ method, url = "" }: IncomingMessage, response: ServerResponse): void => {
    if (url.split("?", 1)[0] !== "/metrics") response.writeHead(404).end();
    else if (method !== "GET" && method !== "HEAD") response.writeHead(405, { allow: "GET, HEAD" }).end();
    else void answer(response);
  };
}
