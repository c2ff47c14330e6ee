import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Seconds, for waits that users notice and for whole answers. */
const waits = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
/** Seconds, for the parts that are the server's own. */
const ownTimes = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
/** The buckets that OpenTelemetry recommends for tokens and for the operations of clients. */
const tokenBuckets = Array.from({ length: 14 }, (_, power) => 4 ** power);
const operationSeconds = Array.from({ length: 14 }, (_, power) => 0.01 * 2 ** power);

/** The labels of OpenTelemetry's GenAI conventions, with `_` in place of each dot. */
const genAi = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"] as const;
const ofModel = ["gen_ai_provider_name", "gen_ai_request_model"] as const;

/** Creates every metric of the server. Names follow Prometheus: base units, and `_total` for counters. */
export function createInstruments(registry: Registry) {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter<T>({ name, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge<T>({ name, help, labelNames, registers });
  const histogram = <T extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly T[] = [],
  ) => new Histogram<T>({ name, help, buckets, labelNames, registers });

  return {
    ...createTurnInstruments(counter, gauge, histogram),
    callDuration: histogram(
      "gen_ai_client_operation_duration_seconds",
      "Duration of calls of a provider, with the waits between attempts.",
      operationSeconds,
      [...genAi, "error_type"],
    ),
    callFirstChunk: histogram(
      "gen_ai_client_operation_time_to_first_chunk_seconds",
      "Time from a call to the provider's first event.",
      operationSeconds,
      genAi,
    ),
    tokenUsage: histogram("gen_ai_client_token_usage", "Tokens of a call.", tokenBuckets, [
      ...genAi,
      "gen_ai_token_type",
    ]),
    callCost: counter(
      "troupe_call_cost_usd_total",
      "Cost of calls in US dollars, of those whose cost is known.",
      ofModel,
    ),
    unpricedCalls: counter("troupe_unpriced_calls_total", "Ended calls whose cost is not known.", ofModel),
    callsRunning: gauge("troupe_calls_running", "Calls of a provider under way."),
    breakerOpenings: counter(
      "troupe_breaker_openings_total",
      "Times that an endpoint, or a model of it, was left alone: after failures, or for a pause that it asked for.",
      [...(["gen_ai_provider_name", "reason", "code"] as const)],
    ),
    breakersOpen: gauge(
      "troupe_breakers_open",
      "Endpoints, or models of them, that are left alone after failures.",
      ["gen_ai_provider_name"],
    ),
    callRetries: counter("troupe_call_retries_total", "Repeated attempts of calls."),
    socketsOpen: gauge("troupe_sockets_open", "Open WebSocket connections."),
    socketsOpened: counter("troupe_sockets_opened_total", "Accepted WebSocket connections."),
    socketsClosed: counter("troupe_sockets_closed_total", "Closed WebSocket connections.", ["reason"]),
    refusals: counter("troupe_refusals_total", "Refused frames, handshakes and HTTP requests.", [
      "at",
      "code",
    ]),
    commitDuration: histogram(
      "troupe_commit_duration_seconds",
      "Time from handing a commit to the database to its answer.",
      ownTimes,
    ),
    commitEvents: counter("troupe_commit_events_total", "Events of turns in commits."),
    commitBytes: counter("troupe_commit_bytes_total", "Bytes in commits."),
    storageFailing: gauge("troupe_storage_failing_processes", "Processes whose storage fails now."),
    redisAway: gauge(
      "troupe_redis_away_processes",
      "Processes that cannot use their Redis now, and tell others through PostgreSQL.",
    ),
    faults: counter("troupe_faults_total", "Failures of the server's own parts.", ["where"]),
    warnings: counter("troupe_warnings_total", "Warnings for the operator."),
  };
}

export type Instruments = ReturnType<typeof createInstruments>;

type MakeCounter = <T extends string>(name: string, help: string, labels?: readonly T[]) => Counter<T>;
type MakeGauge = <T extends string>(name: string, help: string, labels?: readonly T[]) => Gauge<T>;
type MakeHistogram = <T extends string>(
  name: string,
  help: string,
  buckets: number[],
  labels?: readonly T[],
) => Histogram<T>;

function createTurnInstruments(counter: MakeCounter, gauge: MakeGauge, histogram: MakeHistogram) {
  return {
    turnsStarted: counter("troupe_turns_started_total", "Requests that were accepted.", ["kind"]),
    turnsEnded: counter(
      "troupe_turns_ended_total",
      "Requests that have ended. The code is empty without an error.",
      [...(["kind", "outcome", "code"] as const)],
    ),
    turnsRunning: gauge("troupe_turns_running", "Requests under way."),
    turnsRecovered: counter("troupe_turns_recovered_total", "Requests of a process that is gone.", [
      "outcome",
    ]),
    lanesFailed: counter("troupe_lanes_failed_total", "Voices that failed in a request of several.", [
      "code",
    ]),
    turnDuration: histogram(
      "troupe_turn_duration_seconds",
      "Time from a request's arrival to its end.",
      waits,
      ["kind"],
    ),
    turnFirstChunk: histogram(
      "troupe_turn_first_chunk_seconds",
      "Time from a request's arrival to its first stored chunk.",
      waits,
      ["kind"],
    ),
    turnWait: histogram(
      "troupe_turn_wait_seconds",
      "Time from a request's arrival to its start: look-ups, limits and its row in the store.",
      ownTimes,
    ),
    overhead: histogram(
      "troupe_overhead_seconds",
      "Time to the first chunk outside the provider: before its call, and from its first output to the stored chunk.",
      ownTimes,
      ["kind"],
    ),
  };
}
