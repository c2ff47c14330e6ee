import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { type Channel, createChannel, processLine } from "../adapters/cluster/rpc/channel.ts";
import {
  primaryControlMethods,
  type WorkerControl,
  workerControlMethods,
} from "../adapters/cluster/rpc/control.ts";
import { remotePort, servePort } from "../adapters/cluster/rpc/remote-port.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "./log-observer.ts";
import type { OpenedMetrics } from "./open-metrics.ts";

/** How long a worker's messages in the middle of answers are gathered. The store then gathers the messages of all workers again. */
export const gatherMs = 10;
/** The start of a worker that has served this long was not the reason for its end. */
const settledMs = 30_000;
/** How long a stop waits for workers to tell other nodes, milliseconds. */
const leaveLimitMs = 5_000;

interface RunningWorker {
  readonly worker: Worker;
  readonly control: WorkerControl;
  readonly listening: Promise<void>;
  readonly ended: Promise<unknown>;
}

/** The parts of this process that its workers use. */
export interface Shared {
  /** Serves a worker. */
  readonly admit: (channel: Channel) => void;
  readonly canStore: () => Promise<boolean>;
}

interface WorkersOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Adds up the workers' metrics. */
  readonly metrics: OpenedMetrics | undefined;
}

/** The worker processes. */
export class Workers {
  readonly #shared: Shared;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: OpenedMetrics | undefined;
  readonly #stopping = new AbortController();
  readonly #running = new Set<RunningWorker>();
  #hasAnnounced = false;

  constructor(shared: Shared, { clock, logger, metrics }: WorkersOptions) {
    this.#shared = shared;
    this.#clock = clock;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  /** Whether one of them has ever listened. */
  get hasAnnounced(): boolean {
    return this.#hasAnnounced;
  }

  start(): RunningWorker {
    const { admit, canStore } = this.#shared;
    const worker = cluster.fork();
    const line = processLine(worker);
    const channel = createChannel({ line, clock: this.#clock, gatherMs, speaksSecond: true });
    const listening = Promise.withResolvers<void>();
    admit(channel);
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
      const startedAtMs = this.#clock.now();
      await current.ended;
      if (signal.aborted) return;
      endsInARow = this.#clock.now() - startedAtMs < settledMs ? endsInARow + 1 : 1;
      const delayMs = restartDelayMs(endsInARow);
      this.#logger.error(
        { worker: current.worker.process.pid, delayMs },
        "a worker ended; another takes its place",
      );
      await this.#clock.sleep(delayMs, signal);
      if (signal.aborted) return;
    }
  }

  /** Stops all of them in order; settles when they have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const running = [...this.#running];
    const left = Promise.allSettled(running.map(({ control }) => control.leave()));
    const patience = new AbortController();
    await Promise.race([left, this.#clock.sleep(leaveLimitMs, patience.signal)]);
    patience.abort();
    await Promise.all(running.map((one) => this.#stopOne(one)));
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

const firstDelayMs = 100;
/** Short, so that clients hear of an interrupted answer within seconds even when no worker is left. */
const maxDelayMs = 2_000;

/** The wait before a worker is restarted, from the number of times in a row that it ended without having served for a while. */
function restartDelayMs(endsInARow: number): number {
  return Math.min(firstDelayMs * 2 ** (endsInARow - 1), maxDelayMs);
}
