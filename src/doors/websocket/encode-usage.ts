import { roundedUsd } from "../../ports/prices.ts";
import type { Cost, Usage } from "../../ports/provider.ts";

/** The fields `usage` and `cost` of an answer; none if nothing is known of its tokens. */
export function usage(used: Usage | undefined) {
  return used === undefined ? {} : { usage: tokens(used), ...cost(used.cost) };
}

/** The tokens of an answer, without their cost. */
export function tokens(used: Usage) {
  const { inputTokens, cachedTokens, cacheWriteTokens } = used;
  const { outputTokens, reasoningTokens, totalTokens, estimated } = used;
  return {
    input_tokens: inputTokens,
    ...(cachedTokens === undefined ? {} : { cached_tokens: cachedTokens }),
    ...(cacheWriteTokens === undefined ? {} : { cache_write_tokens: cacheWriteTokens }),
    output_tokens: outputTokens,
    ...(reasoningTokens === undefined ? {} : { reasoning_tokens: reasoningTokens }),
    total_tokens: totalTokens,
    estimated,
  };
}

/**
 * The field `cost`: `null` if no price is known, because a client must not take that for 0. An answer of an earlier version has none, so
 * that its replay stays as it was.
 */
export function cost(known: Cost | null | undefined) {
  if (known === undefined) return {};
  if (known === null) return { cost: null };
  const { usd, approximate, partial } = known;
  return { cost: { usd: roundedUsd(usd), approximate, ...(partial === undefined ? {} : { partial }) } };
}
