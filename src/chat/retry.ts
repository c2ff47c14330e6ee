import type { Clock } from "../ports/clock.ts";
import { isShown, type ProviderEvent } from "../ports/provider.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isUnread } from "./usage.ts";

/** Decides when a failed call is repeated. */
export interface RetryPolicy {
  /** Maximum repeats after the first try. */
  readonly maxRetries: number;
  /** The first wait; each further one is twice as long. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** If a provider asks for a longer pause than this, the request fails instead, and the client is told the pause. */
  readonly maxAskedDelayMs: number;
  /** Uniform in [0, 1): spreads the waits by up to a quarter. */
  readonly random: () => number;
}

type OpenCall = () => AsyncIterable<ProviderEvent[]>;

interface RetryContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called once the call has shown something, so that it will not be repeated. */
  readonly onBegun?: () => void;
  /** Finds another call that is made at once in the place of one that failed with this error. It is asked until it has found one. */
  readonly replace?: (error: TroupeError) => Promise<OpenCall | undefined>;
}

/**
 * Repeats a failed call if nothing of it was shown and its error says that repeating is safe (`safeToRepeat`). After the first text,
 * reasoning or tool it is never repeated, because that would be shown twice. A used-up quota is never retried. A provider's acceptance of
 * the call shows nothing yet.
 */
export function withRetries(
  open: OpenCall,
  policy: RetryPolicy,
  context: RetryContext,
): AsyncIterableIterator<ProviderEvent[]> {
  return new RetriedCall(open, policy, context);
}

/** Not a generator: once the call has shown something, its own promises are returned at no further cost. */
class RetriedCall implements AsyncIterableIterator<ProviderEvent[]> {
  #open: OpenCall;
  readonly #policy: RetryPolicy;
  readonly #context: RetryContext;
  #call: AsyncIterator<ProviderEvent[]> | undefined;
  /** Nothing of the call was shown yet, and it was not given up. */
  #mayRepeat = true;
  #attempt = 0;
  #isReplaced = false;
  /** The provider has sent something in this attempt, so it may have read the call. */
  #hasBegun = false;
  /** The wait before the next attempt. */
  #delayMs = 0;

  constructor(open: OpenCall, policy: RetryPolicy, context: RetryContext) {
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

  /** The next batch of an attempt that has shown nothing, or the news that the call is about to be repeated. */
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
      const retrying = (await this.#replaced(thrown)) ?? this.#retrying(thrown);
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

  /** Makes another call the next attempt, which is then the first of its own. */
  async #replaced(thrown: unknown): Promise<ProviderEvent | undefined> {
    if (this.#isReplaced || !(thrown instanceof TroupeError)) return undefined;
    const open = await this.#context.replace?.(thrown);
    if (open === undefined) return undefined;
    this.#context.signal.throwIfAborted();
    this.#open = open;
    this.#isReplaced = true;
    this.#attempt = 0;
    const isUnreadCall = !this.#hasBegun && isUnread(thrown);
    return { type: "retrying", attempt: 1, delayMs: 0, code: thrown.code, isUnread: isUnreadCall };
  }

  #retrying(thrown: unknown): ProviderEvent {
    const { maxRetries, maxAskedDelayMs } = this.#policy;
    const attempt = this.#attempt;
    if (!(thrown instanceof TroupeError) || !thrown.safeToRepeat || attempt > maxRetries) throw thrown;
    this.#delayMs = thrown.retryAfterMs ?? backoff(this.#policy, attempt);
    if (this.#delayMs > maxAskedDelayMs) throw thrown;
    const delayMs = Math.round(this.#delayMs);
    const { code } = thrown;
    return { type: "retrying", attempt, delayMs, code, isUnread: !this.#hasBegun && isUnread(thrown) };
  }
}

function backoff(policy: RetryPolicy, attempt: number): number {
  const delayMs = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return delayMs * (1 - policy.random() / 4);
}
