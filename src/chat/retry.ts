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
  /** Hears that the call has said something that is shown, and will not be repeated. */
  readonly onBegun?: () => void;
}

/**
 * Repeats a call that failed before anything of it was shown and whose error says that repeating is safe (`safeToRepeat`): never
 * after the first text, reasoning or tool, because it would be shown twice, and never on a used-up quota. That the provider has
 * accepted the call shows nothing.
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
  /** Nothing of it was shown yet, and it was not given up. */
  #mayRepeat = true;
  #attempt = 0;
  /** The provider has said something in the attempt that runs, and so may have read it. */
  #hasBegun = false;
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
    if (this.#mayRepeat) return this.#nextUnshown();
    return this.#call?.next() ?? Promise.resolve({ done: true, value: undefined });
  }

  async return(): Promise<IteratorResult<ProviderEvent[]>> {
    this.#mayRepeat = false;
    await this.#call?.return?.();
    return { done: true, value: undefined };
  }

  /** The next batch of an attempt of which nothing was shown, or that the call is about to be repeated. */
  async #nextUnshown(): Promise<IteratorResult<ProviderEvent[]>> {
    const { signal, onBegun } = this.#context;
    try {
      this.#call ??= await this.#attemptCall();
      const step = await this.#call.next();
      this.#hasBegun = true;
      if (step.done === true || step.value.some(isShown)) {
        this.#mayRepeat = false;
        onBegun?.();
      }
      return step;
    } catch (thrown) {
      this.#call = undefined;
      this.#mayRepeat = false;
      signal.throwIfAborted();
      const retrying = this.#retrying(thrown);
      this.#mayRepeat = true;
      return { done: false, value: [retrying] };
    }
  }

  async #attemptCall(): Promise<AsyncIterator<ProviderEvent[]>> {
    const { clock, signal } = this.#context;
    if (this.#attempt > 0) {
      await clock.sleep(this.#delayMs, signal);
      signal.throwIfAborted();
    }
    this.#attempt += 1;
    this.#hasBegun = false;
    return this.#open()[Symbol.asyncIterator]();
  }

  #retrying(thrown: unknown): ProviderEvent {
    const { mostRetries, longestAskedDelayMs } = this.#policy;
    const attempt = this.#attempt;
    if (!(thrown instanceof TroupeError) || !thrown.safeToRepeat || attempt > mostRetries) throw thrown;
    this.#delayMs = thrown.retryAfterMs ?? backoff(this.#policy, attempt);
    if (this.#delayMs > longestAskedDelayMs) throw thrown;
    const delayMs = Math.round(this.#delayMs);
    const { code } = thrown;
    return { type: "retrying", attempt, delayMs, code, isUnread: !this.#hasBegun && isUnread(thrown) };
  }
}

/** A checkpoint belongs to the attempt: the next one has others. */
function isShown({ type }: ProviderEvent): boolean {
  return type !== "started" && type !== "checkpoint";
}

function backoff(policy: RetryPolicy, attempt: number): number {
  const delayMs = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return delayMs * (1 - policy.random() / 4);
}
