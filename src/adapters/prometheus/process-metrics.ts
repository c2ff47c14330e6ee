import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, type Registry } from "prom-client";

/** Milliseconds between two samples of the event loop: 50 a second cost nothing that can be measured. */
const sampleMs = 20;
const nanoseconds = 1e-9;

/**
 * Registers the metrics of this process. The library's own set has names that `promtool` refuses (`..._total` for a gauge). Disposing
 * stops the samples of the event loop.
 */
export function registerProcessMetrics(registry: Registry): Disposable {
  const registers = [registry];
  const delay = monitorEventLoopDelay({ resolution: sampleMs });
  delay.enable();
  new Gauge({
    name: "troupe_event_loop_delay_max_seconds",
    help: "Longest delay of the event loop since the scrape before; with several processes the slowest one's.",
    aggregator: "max",
    registers,
    collect() {
      this.set(Math.max(0, delay.max * nanoseconds - sampleMs / 1_000));
      delay.reset();
    },
  });
  new Gauge({
    name: "troupe_processes",
    help: "Processes that the other metrics add up.",
    registers,
    collect() {
      this.set(1);
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system CPU time.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  registerMemory(registry);
  return { [Symbol.dispose]: () => delay.disable() };
}

function registerMemory(registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory.",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: "process_heap_bytes",
    help: "Used part of the JavaScript heap.",
    registers,
    collect() {
      this.set(process.memoryUsage().heapUsed);
    },
  });
  new Gauge({
    name: "process_start_time_seconds",
    help: "Start of the oldest process, in seconds since 1970.",
    aggregator: "min",
    registers,
  }).set(performance.timeOrigin / 1_000);
}
