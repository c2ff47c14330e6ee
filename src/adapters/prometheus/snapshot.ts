import { AggregatorRegistry } from "prom-client";
import { z } from "zod";

/** The metrics of one process at one moment, as they travel between processes. */
const snapshot = z.array(
  z.object({
    name: z.string(),
    help: z.string(),
    type: z.enum(["counter", "gauge", "histogram"]),
    aggregator: z.enum(["sum", "max", "min"]),
    values: z.array(
      z.object({
        value: z.number(),
        labels: z.record(z.string(), z.union([z.string(), z.number()])),
        metricName: z.string().optional(),
      }),
    ),
  }),
);

export type Snapshot = z.output<typeof snapshot>;

/** Reads a snapshot. Throws a `ZodError` for anything else. */
export function decodeSnapshot(text: string): Snapshot {
  return snapshot.parse(JSON.parse(text));
}

/** The text that Prometheus reads, of all snapshots together. */
export function encodeText(snapshots: readonly Snapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate([...snapshots]).metrics();
}

/** Adds up snapshots of processes that have ended: their counters and histograms, without gauges. */
export async function sumOfEnded(snapshots: readonly Snapshot[]): Promise<Snapshot> {
  const counted = snapshots.map((one) => one.filter(({ type }) => type !== "gauge"));
  return snapshot.parse(await AggregatorRegistry.aggregate(counted).getMetricsAsJSON());
}
