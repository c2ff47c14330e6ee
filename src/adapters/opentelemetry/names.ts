/**
 * The names of attributes. Those of OpenTelemetry's GenAI conventions are in development and may still be renamed, so they are in one
 * place. Figures have the conventions' units: seconds and tokens.
 */
export const names = {
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
