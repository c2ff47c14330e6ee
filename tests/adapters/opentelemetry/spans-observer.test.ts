import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { SpansObserver } from "../../../src/adapters/opentelemetry/spans-observer.ts";
import type { CallFacts, TurnFacts } from "../../../src/ports/observer.ts";
import type { Usage } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

const turn: TurnFacts = {
  ...{ requestId: "r-1", conversationId: "c-1", kind: "persona", lanes: 1 },
  ...{ isRecovered: false, waitedMs: 4_000 },
};
const call: CallFacts = {
  ...{ turn, personaId: "teacher", providerName: "openai", requestModel: "m-1", isResumed: false },
};
const usage = { inputTokens: 7, outputTokens: 2, totalTokens: 9, estimated: false };

function observe() {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  return {
    observer: new SpansObserver(provider.getTracer("test")),
    spans: () => exporter.getFinishedSpans(),
  };
}

test("a turn is a span, and its call one below it, under the GenAI names", () => {
  const { observer, spans } = observe();
  observer.turnStarted(turn);
  observer.callStarted(call);
  const ended = {
    outcome: "completed",
    usage,
    attempts: 2,
    durationMs: 900,
    timeToFirstChunkMs: 250,
  } as const;
  observer.callEnded(call, ended);
  observer.turnEnded(turn, {
    outcome: "completed",
    durationMs: 1_000,
    timeToFirstChunkMs: 300,
    overheadMs: 50,
  });
  const [ofCall, ofTurn] = spans();
  assert.deepEqual(
    [ofTurn?.name, ofTurn?.kind, ofTurn?.parentSpanContext],
    ["turn persona", SpanKind.SERVER, undefined],
  );
  assert.deepEqual(ofTurn?.attributes, {
    "troupe.request.id": "r-1",
    "troupe.turn.kind": "persona",
    "troupe.turn.lanes": 1,
    "troupe.turn.recovered": false,
    "gen_ai.conversation.id": "c-1",
    "troupe.outcome": "completed",
    "troupe.turn.time_to_first_chunk": 0.3,
    "troupe.turn.overhead": 0.05,
  });
  assert.deepEqual([ofCall?.name, ofCall?.kind], ["chat m-1", SpanKind.CLIENT]);
  assert.equal(ofCall?.parentSpanContext?.spanId, ofTurn?.spanContext().spanId);
  assert.deepEqual(ofCall?.attributes, {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "m-1",
    "troupe.request.id": "r-1",
    "gen_ai.agent.id": "teacher",
    "troupe.outcome": "completed",
    "troupe.call.attempts": 2,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.usage.output_tokens": 2,
  });
  // The span of a turn starts with the arrival of its request, 4 s before the turn.
  const [startedAt = 0] = ofTurn?.startTime ?? [];
  const [calledAt = 0] = ofCall?.startTime ?? [];
  assert.ok(calledAt - startedAt >= 3, `${startedAt} and ${calledAt}`);
});

test("a call tells its cost and the parts of its input, if they are known", () => {
  const { observer, spans } = observe();
  const counts = { ...usage, cachedTokens: 3, cacheWriteTokens: 1 };
  const end = { outcome: "completed", attempts: 1, durationMs: 1 } as const;
  const told = (used: Usage) => {
    const each = { ...call };
    observer.callStarted(each);
    observer.callEnded(each, { ...end, usage: used });
    const { attributes } = spans().at(-1) ?? {};
    return ["gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"]
      .concat("troupe.call.cost_usd", "troupe.call.cost_approximate")
      .map((name) => attributes?.[name]);
  };
  assert.deepEqual(told({ ...counts, cost: { usd: 0.1 + 0.2, approximate: true } }), [3, 1, 0.3, true]);
  assert.deepEqual(told({ ...counts, cost: null }), [3, 1, undefined, undefined]);
});

test("a failure has its code as error.type, and a failed voice is an event of its turn", () => {
  const { observer, spans } = observe();
  observer.turnStarted(turn);
  observer.callStarted(call);
  observer.callEnded(call, { outcome: "failed", errorCode: "upstream_auth", attempts: 1, durationMs: 9 });
  observer.laneFailed(turn, { personaId: "teacher", error: new TroupeError("upstream_auth") });
  const error = new TroupeError("upstream_auth", { detail: "secret" });
  observer.turnEnded(turn, { outcome: "failed", error, durationMs: 10 });
  for (const span of spans()) {
    assert.equal(span.attributes["error.type"], "upstream_auth");
    assert.equal(span.status.code, SpanStatusCode.ERROR);
  }
  const [event] = spans().at(-1)?.events ?? [];
  assert.deepEqual(event?.attributes, { "gen_ai.agent.id": "teacher", "error.type": "upstream_auth" });
  assert.doesNotMatch(
    JSON.stringify(spans().map(({ attributes, status }) => [attributes, status])),
    /secret/,
  );
});
