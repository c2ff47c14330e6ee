import { z } from "zod";
import { duration, text } from "./setting-kinds.ts";

/** The settings of the server's processes: their address, their connections, their stop and their log. */
export const serverSettings = {
  port: {
    name: "PORT",
    schema: z.coerce.number().int().min(0).max(65_535).default(8000),
    help: "port; 0 picks a free one",
  },
  host: {
    name: "HOST",
    schema: text.default("localhost"),
    help: "address to listen on; localhost means both loopback addresses",
  },
  config: {
    name: "TROUPE_CONFIG",
    schema: text.optional(),
    help: "the config file; without it, troupe.json of the working folder if there is one",
  },
  workers: {
    name: "TROUPE_WORKERS",
    schema: z.coerce.number().int().min(1).max(64).default(1),
    help: "processes that serve the port; one more starts them, and keeps the database unless that is PostgreSQL",
  },
  drainMs: {
    name: "TROUPE_DRAIN_MS",
    schema: duration(10_000),
    help: "how long a stop waits for running requests",
  },
  lameDuckMs: {
    name: "TROUPE_LAME_DUCK_MS",
    schema: duration(0),
    help: "how long a stopping server still serves as always while /readyz refuses, until balancers have noticed",
  },
  reconnectSpreadMs: {
    name: "TROUPE_RECONNECT_SPREAD_MS",
    schema: duration(5_000),
    help: "time over which the clients of a stopping server reconnect, each at a random moment",
  },
  pingMs: {
    name: "TROUPE_PING_MS",
    schema: duration(30_000, 1),
    help: "time between two pings of a socket; a peer that misses two is dropped and may come back",
  },
  metricsPort: {
    name: "TROUPE_METRICS_PORT",
    schema: z.coerce.number().int().min(0).max(65_535).optional(),
    help: "port of GET /metrics for Prometheus; without it there is none, 0 picks a free one",
  },
  metricsHost: {
    name: "TROUPE_METRICS_HOST",
    schema: text.default("localhost"),
    help: "address of GET /metrics, which asks for no key; localhost means both loopback addresses",
  },
  otlpEndpoint: {
    name: "OTEL_EXPORTER_OTLP_ENDPOINT",
    schema: text.refine((url) => /^https?:\/\//.test(url), "write it as http://host:4318").optional(),
    help: "an OpenTelemetry collector, which is sent spans of requests and calls by OTLP over HTTP; without it there are none",
  },
  logLevel: {
    name: "LOG_LEVEL",
    schema: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
    help: "how much is logged: error, warn, info, debug, silent",
  },
  logFormat: {
    name: "TROUPE_LOG_FORMAT",
    schema: z.enum(["auto", "json", "text"]).default("auto"),
    help: "json: one object a line; text: lines for people; auto: text in a terminal, otherwise json",
  },
  nodeName: {
    name: "TROUPE_NODE_NAME",
    schema: text.max(100).optional(),
    help: "name of this server in GET /api/admin/nodes, and in each line of the log as node; without it the first is host/process, and workers on PostgreSQL add /process",
  },
} as const;
