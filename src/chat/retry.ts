import type { Clock } from "../ports/clock.ts";
import type { ProviderEvent } from "../ports/provider.ts";
import { TroupeError } from "../protocol/errors.ts";

/** When a failed call is repeated. */
export interface RetryPolicy {
  /** Repeats after the first try. */
  readonly mostRetries: number;
  /** First wait; it doubles with every further one. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A provider that asks for a longer pause than this fails the request instead; the client is told the pause. */
  readonly longestAskedDelayMs: number;
  /** Uniform in [0, 1): spreads the waits by up to a quarter. */
  readonly random: () => number;
}

/**
 * Repeats a call that failed before it said anything and whose error says that repeating is safe (`safeToRepeat`): never after
 * the first event, since the text would be shown twice, and never on a used-up quota.
 */
export async function* withRetries(
  open: () => AsyncIterable<ProviderEvent[]>,
  policy: RetryPolicy,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): AsyncGenerator<ProviderEvent[]> {
  for (let attempt = 1; ; attempt += 1) {
    let began = false;
    try {
      for await (const batch of open()) {
        began = true;
        yield batch;
      }
      return;
    } catch (thrown) {
      signal.throwIfAborted();
      if (began || !(thrown instanceof TroupeError) || !thrown.safeToRepeat || attempt > policy.mostRetries)
        throw thrown;
      const delayMs = thrown.retryAfterMs ?? backoff(policy, attempt);
      if (delayMs > policy.longestAskedDelayMs) throw thrown;
      yield [{ type: "retrying", attempt, delayMs: Math.round(delayMs), code: thrown.code }];
      await clock.sleep(delayMs, signal);
      signal.throwIfAborted();
    }
  }
}

function backoff(policy: RetryPolicy, attempt: number): number {
  const delayMs = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return delayMs * (1 - policy.random() / 4);
}
