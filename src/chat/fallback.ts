import type { FallbackLink, ProviderChoice } from "../ports/provider-catalog.ts";
import type { ErrorCode, TroupeError } from "../protocol/errors.ts";

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
