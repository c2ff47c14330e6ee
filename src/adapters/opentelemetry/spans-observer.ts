import { context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import type { CallEnd, CallFacts, LaneFailure, Observer, TurnEnd, TurnFacts } from "../../ports/observer.ts";
import { roundedUsd } from "../../ports/prices.ts";
import type { Usage } from "../../ports/provider.ts";
import { recordedCost } from "../../ports/usage-store.ts";

/**
 * Makes a span of each turn, and one of each call of a provider below it. Nothing of a question or an answer is in them, because the
 * observer port tells none.
 */
export class SpansObserver implements Observer {
  readonly #tracer: Tracer;
  readonly #turns = new WeakMap<TurnFacts, Span>();
  readonly #calls = new WeakMap<CallFacts, Span>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  turnStarted(turn: TurnFacts): void {
    const { requestId, conversationId, kind, lanes, isRecovered, waitedMs } = turn;
    const span = this.#tracer.startSpan(`turn ${kind}`, {
      kind: SpanKind.SERVER,
      // The turn is told when it starts, and its request arrived before.
      startTime: new Date(Date.now() - waitedMs),
      attributes: {
        [names.request]: requestId,
        [names.kind]: kind,
        [names.lanes]: lanes,
        [names.recovered]: isRecovered,
        ...(conversationId === undefined ? {} : { [names.conversation]: conversationId }),
      },
    });
    this.#turns.set(turn, span);
  }

  turnEnded(turn: TurnFacts, { outcome, error, timeToFirstChunkMs, overheadMs }: TurnEnd): void {
    const span = this.#turns.get(turn);
    span?.setAttributes({
      [names.outcome]: outcome,
      ...secondsOf(names.firstChunk, timeToFirstChunkMs),
      ...secondsOf(names.overhead, overheadMs),
    });
    if (span !== undefined) finish(span, error?.code);
  }

  laneFailed(turn: TurnFacts, { personaId, error }: LaneFailure): void {
    this.#turns.get(turn)?.addEvent("lane failed", { ...agentOf(personaId), [names.errorType]: error.code });
  }

  callStarted(call: CallFacts): void {
    const { turn, personaId, providerName, requestModel } = call;
    const parent = this.#turns.get(turn);
    const span = this.#tracer.startSpan(
      `chat ${requestModel}`,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          [names.operation]: "chat",
          [names.provider]: providerName,
          [names.requestModel]: requestModel,
          [names.request]: turn.requestId,
          ...agentOf(personaId),
        },
      },
      parent === undefined ? context.active() : trace.setSpan(context.active(), parent),
    );
    this.#calls.set(call, span);
  }

  callEnded(call: CallFacts, { outcome, errorCode, usage, attempts, timeToFirstChunkMs }: CallEnd): void {
    const span = this.#calls.get(call);
    span?.setAttributes({
      [names.outcome]: outcome,
      [names.attempts]: attempts,
      ...secondsOf(names.timeToFirstChunk, timeToFirstChunkMs),
      ...(usage === undefined ? {} : usageOf(usage)),
    });
    if (span !== undefined) finish(span, errorCode);
  }
}

function finish(span: Span, errorCode: string | undefined): void {
  if (errorCode !== undefined) {
    span.setAttribute(names.errorType, errorCode);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/** A part that is not known has no attribute. */
function usageOf(usage: Usage): Record<string, number | boolean> {
  const { inputTokens, outputTokens, cachedTokens, cacheWriteTokens } = usage;
  const cost = recordedCost(usage);
  return {
    [names.inputTokens]: inputTokens,
    [names.outputTokens]: outputTokens,
    ...(cachedTokens === undefined ? {} : { [names.cachedTokens]: cachedTokens }),
    ...(cacheWriteTokens === undefined ? {} : { [names.cacheWriteTokens]: cacheWriteTokens }),
    ...(cost === undefined
      ? {}
      : { [names.cost]: roundedUsd(cost.usd), [names.isCostApproximate]: cost.approximate }),
  };
}

function agentOf(personaId: string | undefined): Record<string, string> {
  return personaId === undefined ? {} : { [names.agent]: personaId };
}

function secondsOf(name: string, ms: number | undefined): Record<string, number> {
  return ms === undefined ? {} : { [name]: ms / 1_000 };
}

/**
 * The names of attributes. Those of OpenTelemetry's GenAI conventions are in development and may still be renamed, so they are in one
 * place. Figures have the conventions' units: seconds and tokens.
 */
const names = {
  operation: "gen_ai.operation.name",
  provider: "gen_ai.provider.name",
  requestModel: "gen_ai.request.model",
  conversation: "gen_ai.conversation.id",
  agent: "gen_ai.agent.id",
  inputTokens: "gen_ai.usage.input_tokens",
  outputTokens: "gen_ai.usage.output_tokens",
  cachedTokens: "gen_ai.usage.cache_read.input_tokens",
  cacheWriteTokens: "gen_ai.usage.cache_creation.input_tokens",
  timeToFirstChunk: "gen_ai.response.time_to_first_chunk",
  errorType: "error.type",
  request: "troupe.request.id",
  kind: "troupe.turn.kind",
  lanes: "troupe.turn.lanes",
  outcome: "troupe.outcome",
  recovered: "troupe.turn.recovered",
  firstChunk: "troupe.turn.time_to_first_chunk",
  overhead: "troupe.turn.overhead",
  attempts: "troupe.call.attempts",
  // The conventions have no name for a cost.
  cost: "troupe.call.cost_usd",
  isCostApproximate: "troupe.call.cost_approximate",
} as const;
