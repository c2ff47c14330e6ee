import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "../../../src/adapters/prometheus/metrics.ts";
import { decodeSnapshot, encodeText } from "../../../src/adapters/prometheus/snapshot.ts";
import type { CallFacts, TurnFacts } from "../../../src/ports/observer.ts";
import type { Usage } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

const turn: TurnFacts = {
  ...{ requestId: "r-secret", conversationId: "c-secret", kind: "persona", lanes: 1 },
  ...{ isRecovered: false, waitedMs: 4 },
};
const call = (requestModel: string): CallFacts => ({
  ...{ turn, personaId: "p-secret", providerName: "openai", requestModel, isResumed: false },
});
const usage = { inputTokens: 7, outputTokens: 2, totalTokens: 9, estimated: false };

async function textOf(metrics: ReturnType<typeof createMetrics>): Promise<string> {
  return encodeText([decodeSnapshot(await metrics.snapshot())]);
}

test("a Redis that is away is counted until it works again", async () => {
  using metrics = createMetrics({ models: [] });
  const away = async () => /^troupe_redis_away_processes (\d)$/m.exec(await textOf(metrics))?.[1];
  assert.equal(await away(), "0");
  metrics.observer.messengerChanged?.({ state: "away", error: new Error("it does not answer") });
  assert.equal(await away(), "1");
  metrics.observer.messengerChanged?.({ state: "working" });
  assert.equal(await away(), "0");
});

test("turns, calls, tokens, sockets, refusals and commits are counted and timed, in seconds", async () => {
  using metrics = createMetrics({ models: ["m-1"] });
  const { observer } = metrics;
  observer.connectionOpened?.({ door: "websocket" });
  observer.turnStarted?.(turn);
  observer.callStarted?.(call("m-1"));
  const failed = { outcome: "failed", errorCode: "upstream_error", usage, attempts: 3 } as const;
  observer.callEnded?.(call("m-1"), { ...failed, durationMs: 2_000, timeToFirstChunkMs: 300 });
  observer.turnEnded?.(turn, {
    ...{ outcome: "failed", error: new TroupeError("upstream_error") },
    ...{ durationMs: 2_100, timeToFirstChunkMs: 320, overheadMs: 20 },
  });
  observer.turnStarted?.(turn);
  observer.committed?.({ events: 5, bytes: 800, durationMs: 3 });
  observer.refused?.({ at: "frame", code: "invalid_message" });
  observer.recovered?.({ continued: 2, interrupted: 1 });
  observer.connectionClosed?.({ door: "websocket" }, { reason: "client", durationMs: 1 });
  const text = await textOf(metrics);
  const ofCall = 'gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="m-1"';
  for (const line of [
    'troupe_turns_started_total{kind="persona"} 2',
    'troupe_turns_ended_total{kind="persona",outcome="failed",code="upstream_error"} 1',
    "troupe_turns_running 1",
    'troupe_overhead_seconds_bucket{le="0.025",kind="persona"} 1',
    'troupe_overhead_seconds_bucket{le="0.01",kind="persona"} 0',
    'troupe_turn_first_chunk_seconds_sum{kind="persona"} 0.32',
    `gen_ai_client_operation_duration_seconds_sum{${ofCall},error_type="upstream_error"} 2`,
    `gen_ai_client_token_usage_sum{${ofCall},gen_ai_token_type="input"} 7`,
    `gen_ai_client_token_usage_sum{${ofCall},gen_ai_token_type="output"} 2`,
    "troupe_calls_running 0",
    "troupe_call_retries_total 2",
    "troupe_sockets_open 0",
    'troupe_sockets_closed_total{reason="client"} 1',
    'troupe_refusals_total{at="frame",code="invalid_message"} 1',
    "troupe_commit_duration_seconds_sum 0.003",
    "troupe_commit_bytes_total 800",
    'troupe_turns_recovered_total{outcome="continued"} 2',
  ])
    assert.ok(text.split("\n").includes(line), `${line}\nin\n${text}`);
});

test("costs are added up by provider and model, and calls without a known cost are counted", async () => {
  using metrics = createMetrics({ models: ["m-1"] });
  const end = (of: Partial<Usage>) => {
    const told = { outcome: "completed", usage: { ...usage, ...of }, attempts: 1, durationMs: 1 } as const;
    metrics.observer.callEnded?.(call("m-1"), told);
  };
  end({ cost: { usd: 0.5, approximate: false } });
  end({ cost: { usd: 0.25, approximate: true } });
  end({ cost: { usd: 7, approximate: false, partial: true } });
  end({});
  const lines = (await textOf(metrics)).split("\n");
  const labels = '{gen_ai_provider_name="openai",gen_ai_request_model="m-1"}';
  for (const line of [`troupe_call_cost_usd_total${labels} 0.75`, `troupe_unpriced_calls_total${labels} 2`])
    assert.ok(lines.includes(line), `${line}\nin\n${lines.join("\n")}`);
});

test("the callers' own text is in no label, and a thousand models that callers made up are one value", async () => {
  using metrics = createMetrics({ models: ["m-1"] });
  for (let index = 0; index < 1_000; index += 1)
    metrics.observer.callEnded?.(call(`secret-${index}`), {
      outcome: "completed",
      attempts: 1,
      durationMs: 5,
    });
  const text = await textOf(metrics);
  assert.doesNotMatch(text, /secret/);
  assert.match(text, /operation_duration_seconds_count\{[^}]*gen_ai_request_model="other"[^}]*\} 1000/);
  assert.equal(text.match(/operation_duration_seconds_count/g)?.length, 1);
});

test("the counts of a server are read when the metrics are", async () => {
  using metrics = createMetrics({ models: [] });
  let watchers = 3;
  metrics.watch(() => ({ watchers, logs: 1, logBytes: 10, requestBytes: 20 }));
  assert.match(await textOf(metrics), /^troupe_followers 3$/m);
  watchers = 4;
  const text = await textOf(metrics);
  assert.match(text, /^troupe_followers 4$/m);
  assert.match(text, /^troupe_request_bytes 20$/m);
});
