import type { Clock } from "../ports/clock.ts";
import type { ProviderEvent } from "../ports/provider.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isUnread } from "./unread-calls.ts";

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

interface RetryContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Hears that the call has begun to speak, and will not be repeated. */
  readonly onBegun?: () => void;
}

/**
 * Repeats a call that failed before it said anything and whose error says that repeating is safe (`safeToRepeat`): never after
 * the first event, since the text would be shown twice, and never on a used-up quota.
 */
export function withRetries(
  open: () => AsyncIterable<ProviderEvent[]>,
  policy: RetryPolicy,
  context: RetryContext,
): AsyncIterableIterator<ProviderEvent[]> {
  return new RetriedCall(open, policy, context);
}

/** Not a generator: once the call has begun to speak it stands here for itself, at no cost. */
class RetriedCall implements AsyncIterableIterator<ProviderEvent[]> {
  readonly #open: () => AsyncIterable<ProviderEvent[]>;
  readonly #policy: RetryPolicy;
  readonly #context: RetryContext;
  #call: AsyncIterator<ProviderEvent[]> | undefined;
  /** It has said nothing yet, and was not given up. */
  #mayRepeat = true;
  #attempt = 0;
  /** Before the next attempt. */
  #delayMs = 0;

  constructor(open: () => AsyncIterable<ProviderEvent[]>, policy: RetryPolicy, context: RetryContext) {
    this.#open = open;
    this.#policy = policy;
    this.#context = context;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<ProviderEvent[]>> {
    if (this.#mayRepeat) return this.#first();
    return this.#call?.next() ?? Promise.resolve({ done: true, value: undefined });
  }

  async return(): Promise<IteratorResult<ProviderEvent[]>> {
    this.#mayRepeat = false;
    await this.#call?.return?.();
    return { done: true, value: undefined };
  }

  /** The first batch of an attempt, or that it is about to be repeated. */
  async #first(): Promise<IteratorResult<ProviderEvent[]>> {
    const { clock, signal } = this.#context;
    if (this.#attempt > 0) {
      await clock.sleep(this.#delayMs, signal);
      signal.throwIfAborted();
    }
    this.#attempt += 1;
    this.#mayRepeat = false;
    try {
      this.#call = this.#open()[Symbol.asyncIterator]();
      const first = await this.#call.next();
      this.#context.onBegun?.();
      return first;
    } catch (thrown) {
      signal.throwIfAborted();
      const retrying = this.#retrying(thrown);
      this.#mayRepeat = true;
      return { done: false, value: [retrying] };
    }
  }

  #retrying(thrown: unknown): ProviderEvent {
    const { mostRetries, longestAskedDelayMs } = this.#policy;
    const attempt = this.#attempt;
    if (!(thrown instanceof TroupeError) || !thrown.safeToRepeat || attempt > mostRetries) throw thrown;
    this.#delayMs = thrown.retryAfterMs ?? backoff(this.#policy, attempt);
    if (this.#delayMs > longestAskedDelayMs) throw thrown;
    const delayMs = Math.round(this.#delayMs);
    return { type: "retrying", attempt, delayMs, code: thrown.code, isUnread: isUnread(thrown) };
  }
}

function backoff(policy: RetryPolicy, attempt: number): number {
  const delayMs = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return delayMs * (1 - policy.random() / 4);
}
