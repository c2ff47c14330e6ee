import type { Usage } from "../../ports/provider.ts";

/** The counts of one answer as its vendor tells them, of which any may be missing or no count. */
interface ToldCounts {
  /** Everything that was read, from the cache or not. */
  readonly input: unknown;
  readonly cached?: unknown;
  readonly cacheWrite?: unknown;
  /** Everything that was written, reasoning included. */
  readonly output: unknown;
  readonly reasoning?: unknown;
}

/**
 * The usage that a vendor tells; `undefined` without both sides. A part that is larger than its whole is left out, because no price fits it.
 */
export function toldUsage({ input, cached, cacheWrite, output, reasoning }: ToldCounts): Usage | undefined {
  if (!isCount(input) || !isCount(output)) return undefined;
  const read = isCount(cached) && cached <= input ? cached : undefined;
  const written = isCount(cacheWrite) && cacheWrite + (read ?? 0) <= input ? cacheWrite : undefined;
  const thought = isCount(reasoning) && reasoning <= output ? reasoning : undefined;
  return {
    inputTokens: input,
    ...(read === undefined ? {} : { cachedTokens: read }),
    ...(written === undefined ? {} : { cacheWriteTokens: written }),
    outputTokens: output,
    ...(thought === undefined ? {} : { reasoningTokens: thought }),
    totalTokens: input + output,
    estimated: false,
  };
}

/** Whether a value is a number of tokens. */
export function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}
