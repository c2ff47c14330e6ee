import type { Clock } from "../../ports/clock.ts";
import type { BreakerChange } from "../../ports/observer.ts";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";

/** Failures of a whole endpoint: no model of it can be reached. */
const unreachable: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "upstream_unreachable",
  "upstream_disconnected",
]);
/** Failures that may be of one model. A refusal of the caller's own request is in neither set, and neither is a quota. */
const failing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "upstream_overloaded",
  "upstream_error",
  "upstream_timeout",
  "upstream_stalled",
]);
/** Refusals that may name a pause, which then counts for all callers. */
const pausing: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["rate_limited", "upstream_overloaded"]);

/** A circuit opens after this many failures within this time, without an answer in between. */
const maxFailures = 5;
const windowMs = 30_000;
/** The failures must also span this time. Lanes of one turn fail at the same moment, and their own repeats take 1.5 s. */
const minSpanMs = 2_000;
/** An open circuit lets one call through after this time, and another one after each further time. */
const probeMs = 15_000;
/** Shorter pauses are waited for, longer ones are cut. */
const minPauseMs = 1_000;
const maxPauseMs = 60_000;
/** Models that have failed. Callers name models, so there must be a bound. */
const maxCircuits = 100;

/** The whole endpoint as a key; no model has an empty name. */
const wholeEndpoint = "";

/** A change of one circuit of an endpoint, which does not know its own name. */
export type CircuitChange = Omit<BreakerChange, "providerName">;

type Circuit =
  | { readonly state: "counting"; readonly failedAtMs: readonly number[] }
  | { readonly state: "open"; readonly code: ErrorCode; untilMs: number };

interface CircuitsOptions {
  readonly clock: Pick<Clock, "now">;
  readonly onChange: (change: CircuitChange) => void;
}

/** A call that was let through. Its outcome is told once, by one of the methods. */
export interface WatchedCall {
  answered(): void;
  failed(error: TroupeError): void;
  /** It ended without an outcome, because its caller stopped it. */
  left(): void;
}

/**
 * The circuit breakers of one endpoint: one for each model that fails, and one for the endpoint as a whole. An open circuit lets one call
 * through every 15 s, as a probe, and closes with the first call that answers.
 */
export class Circuits {
  readonly #clock: Pick<Clock, "now">;
  readonly #onChange: (change: CircuitChange) => void;
  readonly #circuits = new Map<string, Circuit>();
  /** Until when vendors asked to be left alone, by model. */
  readonly #pauses = new Map<string, { readonly code: ErrorCode; readonly untilMs: number }>();

  constructor({ clock, onChange }: CircuitsOptions) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Why another endpoint is to be asked; `undefined` if there is no reason. */
  outage(model: string): TroupeError | undefined {
    const pause = this.#pauses.get(model);
    const leftMs = pause === undefined ? 0 : pause.untilMs - this.#clock.now();
    if (pause !== undefined && leftMs > 0) return refusal(pause.code, leftMs);
    if (pause !== undefined) this.#pauses.delete(model);
    return this.#refusal(wholeEndpoint) ?? this.#refusal(model);
  }

  /**
   * Lets a call through, or throws the error of an open circuit. A pause does not stop it: the vendor itself refuses the call or takes it.
   */
  begin(model: string): WatchedCall {
    const keys = [wholeEndpoint, model];
    const refused = this.#refusal(wholeEndpoint) ?? this.#refusal(model);
    if (refused !== undefined) throw refused;
    const probed = keys.map((key) => this.#circuits.get(key)).filter((circuit) => circuit?.state === "open");
    for (const circuit of probed) circuit.untilMs = this.#clock.now() + probeMs;
    return {
      answered: () => {
        for (const key of keys) this.#close(key);
        this.#pauses.delete(model);
      },
      failed: (error) => {
        if (unreachable.has(error.code)) this.#fail(wholeEndpoint, error.code);
        else if (failing.has(error.code)) this.#fail(model, error.code);
        // Any other refusal tells nothing about the server, so the next call is the probe.
        else for (const circuit of probed) circuit.untilMs = this.#clock.now();
        this.#pause(model, error);
      },
      left: () => {
        for (const circuit of probed) circuit.untilMs = this.#clock.now();
      },
    };
  }

  #refusal(key: string): TroupeError | undefined {
    const circuit = this.#circuits.get(key);
    if (circuit?.state !== "open") return undefined;
    const leftMs = circuit.untilMs - this.#clock.now();
    return leftMs > 0 ? refusal(circuit.code, leftMs) : undefined;
  }

  #fail(key: string, code: ErrorCode): void {
    const circuit = this.#circuits.get(key);
    // The calls that were under way when it opened prove nothing more, and a probe has set the time of the next one.
    if (circuit?.state === "open") return;
    const now = this.#clock.now();
    const recent = (circuit?.failedAtMs ?? []).filter((atMs) => now - atMs < windowMs);
    // The first failure is kept, because it tells the span.
    const failedAtMs = [...recent.slice(0, maxFailures - 1), now];
    const [firstMs = now] = failedAtMs;
    if (failedAtMs.length < maxFailures || now - firstMs < minSpanMs) {
      this.#set(key, { state: "counting", failedAtMs });
      return;
    }
    this.#set(key, { state: "open", code, untilMs: now + probeMs });
    this.#onChange({ state: "open", ...named(key), code, durationMs: probeMs });
  }

  #close(key: string): void {
    const circuit = this.#circuits.get(key);
    this.#circuits.delete(key);
    if (circuit?.state === "open") this.#onChange({ state: "closed", ...named(key), code: circuit.code });
  }

  #pause(model: string, { code, retryAfterMs = 0 }: TroupeError): void {
    if (!pausing.has(code) || retryAfterMs < minPauseMs) return;
    const durationMs = Math.min(maxPauseMs, retryAfterMs);
    const wasPaused = this.#pauses.delete(model);
    this.#pauses.set(model, { code, untilMs: this.#clock.now() + durationMs });
    dropOldest(this.#pauses);
    if (!wasPaused) this.#onChange({ state: "paused", requestModel: model, code, durationMs });
  }

  #set(key: string, circuit: Circuit): void {
    this.#circuits.delete(key);
    this.#circuits.set(key, circuit);
    const [oldest] = this.#circuits.keys();
    if (this.#circuits.size > maxCircuits && oldest !== undefined) this.#close(oldest);
  }
}

function dropOldest(kept: Map<string, unknown>): void {
  const [oldest] = kept.keys();
  if (kept.size > maxCircuits && oldest !== undefined) kept.delete(oldest);
}

function named(key: string): { readonly requestModel?: string } {
  return key === wholeEndpoint ? {} : { requestModel: key };
}

/** The code is that of the failure, so clients need no new one. No call was made, so it costs nothing. */
function refusal(code: ErrorCode, leftMs: number): TroupeError {
  return new TroupeError(code, {
    detail: "It was not asked, because it has failed or asked for a pause.",
    retryAfterMs: leftMs,
    retryable: true,
    safeToRepeat: false,
    isUnread: true,
  });
}
