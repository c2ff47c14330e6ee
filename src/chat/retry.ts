import type { Clock } from "../ports/clock.ts";
import { type FallbackLink, isShown, type ProviderChoice, type ProviderEvent } from "../ports/provider.ts";
import { type ErrorCode, TroupeError } from "../protocol/errors.ts";
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

/** Failures that another endpoint or model may not have. A refusal of the request itself would be the same everywhere. */
const mayDiffer: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "rate_limited",
  "quota_exceeded",
  "upstream_overloaded",
  "upstream_error",
  "upstream_unreachable",
  "upstream_timeout",
  "upstream_stalled",
  "upstream_disconnected",
  "upstream_empty",
  "upstream_invalid",
  "upstream_truncated",
  "upstream_auth",
  "model_not_found",
]);

/** One step along a chain, as clients are told it. */
export interface ChainStep {
  /** The failure of the link before. */
  readonly code: ErrorCode;
  /** Number of links that have failed. */
  readonly failed: number;
  readonly link: FallbackLink;
}

/** The links that may answer one call of a lane, one after the other. */
export class Chain {
  /** The link that is asked now. */
  link: ProviderChoice | FallbackLink;
  /** The steps that no client was told yet. */
  readonly untold: ChainStep[] = [];
  readonly #signal: AbortSignal;
  #left: readonly FallbackLink[];
  #failed = 0;
  #error: TroupeError | undefined;

  /** `signal`: stops the lane, and ends the chain. */
  constructor(choice: ProviderChoice, signal: AbortSignal) {
    this.#signal = signal;
    this.link = choice;
    this.#left = choice.fallbacks ?? [];
  }

  /** The link that is asked now, for the lane's result. */
  get facts() {
    const { api, model, provider } = this.link;
    return { api, model, simulated: provider.simulated };
  }

  /** A link of this call has failed before. */
  get hasMoved(): boolean {
    return this.#failed > 0;
  }

  /** The error of a call that no link could answer: that of the first one, which was asked for. */
  errorOf(last: TroupeError): TroupeError {
    return this.#error ?? last;
  }

  /**
   * Goes to the next link that may help after this failure; returns whether there is one. The first link's refusal of the request itself
   * ends the chain. A later link may refuse a parameter that the first one takes, so after it every further link is asked.
   */
  move(error: TroupeError): boolean {
    const needsLarger = error.code === "context_length_exceeded";
    if (!this.hasMoved && !needsLarger && !mayDiffer.has(error.code)) return false;
    const at = this.#left.findIndex(({ hasLargerContext = false }) => !needsLarger || hasLargerContext);
    const link = this.#left[at];
    if (link === undefined || this.#signal.aborted) return false;
    this.#error ??= error;
    this.#failed += 1;
    this.#left = this.#left.slice(at + 1);
    this.link = link;
    this.untold.push({ code: error.code, failed: this.#failed, link });
    return true;
  }

  /** Passes links that are better not asked now. The last link is always asked, because no other one can answer. */
  passOutages(): void {
    let outage = this.#outage();
    while (outage !== undefined && this.move(outage)) outage = this.#outage();
  }

  #outage(): TroupeError | undefined {
    return this.#left.length === 0 ? undefined : this.link.provider.outage?.(this.link.model);
  }

  /** Starts with the next call of the lane, which the same link answers. */
  startCall(): void {
    this.#failed = 0;
    this.#error = undefined;
  }
}
