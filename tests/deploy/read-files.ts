import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { root } from "../../scripts/repository.ts";
import { createMetrics } from "../../src/adapters/prometheus/metrics.ts";
import { decodeSnapshot } from "../../src/adapters/prometheus/snapshot.ts";

const folder = join(root, "deploy");

export function readText(name: string): string {
  return readFileSync(join(folder, name), "utf8");
}

export function readYaml(name: string): unknown {
  return parse(readText(name), { merge: true });
}

export function readDocuments(name: string): unknown[] {
  return parseAllDocuments(readText(name)).map((document) => document.toJS());
}

const dashboard = z.object({
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })),
});
const alerts = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
});

/** The queries of the dashboard, with Grafana's variables replaced as Grafana does it. */
export function dashboardQueries(): { readonly name: string; readonly query: string }[] {
  const { panels } = dashboard.parse(JSON.parse(readText("grafana-dashboard.json")));
  return panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({
      name: title,
      query: expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*"),
    })),
  );
}

/** The queries of the alerts. */
export function alertQueries(): { readonly name: string; readonly query: string }[] {
  const { groups } = alerts.parse(readYaml("alerts.yaml"));
  return groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ name: alert, query: expr })));
}

/** The names of all series that a server gives to Prometheus. */
export async function servedNames(): Promise<Set<string>> {
  using metrics = createMetrics({ models: [] });
  metrics.watch(() => ({ watchers: 0, logs: 0, logBytes: 0, requestBytes: 0 }));
  return new Set(
    decodeSnapshot(await metrics.snapshot()).flatMap(({ name, type }) =>
      type === "histogram" ? ["_bucket", "_sum", "_count"].map((suffix) => name + suffix) : [name],
    ),
  );
}
