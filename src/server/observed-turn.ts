import type { Clock } from "../ports/clock.ts";
import type { CallFacts, Observer, TurnEnd, TurnFacts } from "../ports/observer.ts";
import type { Usage } from "../ports/provider.ts";
import type { CallBudget, CallPlan, TurnBudget } from "../ports/turn-budget.ts";
import {
  laneOf,
  type RepeatedAttempt,
  type TerminalEvent,
  type TurnStep,
  voiceOf,
} from "../ports/turn-event.ts";
import type { CallOutcome } from "../ports/usage-store.ts";
import type { ErrorCode } from "../protocol/errors.ts";

interface ObservedTurnOptions {
  readonly observer: Observer;
  readonly clock: Clock;
  /** When its request arrived, by `clock.now`. */
  readonly arrivedAtMs: number;
  readonly facts: Omit<TurnFacts, "waitedMs">;
}

/** Whether an observer listens to anything that an `ObservedTurn` tells. */
export function listensToTurns(observer: Observer): boolean {
  const { turnStarted, turnEnded, laneFailed, callStarted, callEnded } = observer;
  return (turnStarted ?? turnEnded ?? laneFailed ?? callStarted ?? callEnded) !== undefined;
}

/** Tells an observer about one turn and its calls, from the steps that were stored and from the calls' budgets. */
export class ObservedTurn {
  readonly #observer: Observer;
  readonly #clock: Clock;
  readonly #arrivedAtMs: number;
  readonly #facts: TurnFacts;
  /** The running call of each lane; absent if the observer does not listen to calls. */
  readonly #calls: Map<string | undefined, ObservedCall> | undefined;
  #firstChunkAtMs: number | undefined;
  /** Time that the call of the first chunk waited for its provider. */
  #upstreamMs: number | undefined;

  constructor({ observer, clock, arrivedAtMs, facts }: ObservedTurnOptions) {
    this.#observer = observer;
    this.#clock = clock;
    this.#arrivedAtMs = arrivedAtMs;
    this.#facts = { ...facts, waitedMs: clock.now() - arrivedAtMs };
    const listensToCalls = observer.callStarted !== undefined || observer.callEnded !== undefined;
    this.#calls = listensToCalls ? new Map() : undefined;
    observer.turnStarted?.(this.#facts);
  }

  /** Returns the turn's budget, whose calls are told. */
  payFrom(budget: TurnBudget): TurnBudget {
    const calls = this.#calls;
    if (calls === undefined) return budget;
    const observe = (plan: CallPlan, paid: CallBudget): CallBudget => {
      const call = new ObservedCall(paid, {
        observer: this.#observer,
        clock: this.#clock,
        facts: callFacts(this.#facts, plan),
        onEnd() {
          // The lane may have opened its next call before.
          if (calls.get(plan.lane) === call) calls.delete(plan.lane);
        },
      });
      calls.set(plan.lane, call);
      return call;
    };
    return {
      open(plan) {
        const opened = budget.open(plan);
        return opened instanceof Promise ? opened.then((call) => observe(plan, call)) : observe(plan, opened);
      },
    };
  }

  /** Called with steps after they were stored. */
  observe(steps: readonly TurnStep[]): void {
    for (const step of steps) {
      switch (step.type) {
        case "text":
        case "reasoning":
          if (step.text !== "") this.#noteChunk(this.#calls?.get(step.lane));
          break;
        case "status":
          if (step.status === "processing") this.#calls?.get(step.lane)?.send(failedAttempt(step.retry));
          break;
        case "lane-answer": {
          const { error } = step.answer;
          if (error !== undefined)
            this.#observer.laneFailed?.(this.#facts, { ...voiceOf(laneOf(step.answer)), error });
        }
      }
    }
  }

  #noteChunk(call: ObservedCall | undefined): void {
    if (this.#firstChunkAtMs === undefined) {
      this.#firstChunkAtMs = this.#clock.now();
      this.#upstreamMs = call?.upstreamMs;
    }
    call?.noteChunk();
  }

  /** Tells the turn's end, and the end of calls that nothing else ended. */
  end(how: TerminalEvent | "left" | "lost"): void {
    for (const call of this.#calls?.values() ?? []) call.end(how === "left" ? "interrupted" : "failed");
    this.#observer.turnEnded?.(this.#facts, {
      ...outcomeOf(how),
      durationMs: this.#clock.now() - this.#arrivedAtMs,
      ...this.#toFirstChunk(),
    });
  }

  #toFirstChunk(): Pick<TurnEnd, "timeToFirstChunkMs" | "overheadMs"> {
    if (this.#firstChunkAtMs === undefined) return {};
    const timeToFirstChunkMs = this.#firstChunkAtMs - this.#arrivedAtMs;
    return this.#upstreamMs === undefined
      ? { timeToFirstChunkMs }
      : { timeToFirstChunkMs, overheadMs: timeToFirstChunkMs - this.#upstreamMs };
  }
}

/** The attempt of the running call that failed. A call of another link starts with its first attempt. */
function failedAttempt(retry: RepeatedAttempt | undefined): number | undefined {
  return retry?.api === undefined ? retry?.attempt : undefined;
}

function outcomeOf(how: TerminalEvent | "left" | "lost"): Pick<TurnEnd, "outcome" | "error"> {
  if (how === "left" || how === "lost") return { outcome: how };
  return how.type === "answer" ? { outcome: how.status } : { outcome: "failed", error: how.error };
}

function callFacts(turn: TurnFacts, { lane, api, model, isBegun }: CallPlan): CallFacts {
  return {
    turn,
    ...voiceOf(lane),
    providerName: api,
    requestModel: model,
    isResumed: isBegun,
  };
}

interface ObservedCallOptions extends Pick<ObservedTurnOptions, "observer" | "clock"> {
  readonly facts: CallFacts;
  readonly onEnd: () => void;
}

/** The budget of a call, which passes everything on and tells the call's end. */
class ObservedCall implements CallBudget {
  readonly isLimited: boolean;
  readonly maxOutputTokens?: number;
  readonly #call: CallBudget;
  readonly #options: ObservedCallOptions;
  #sentAtMs: number;
  #firstChunkAtMs: number | undefined;
  #firstOutputAtMs: number | undefined;
  #attempts = 1;
  #isOver = false;

  constructor(call: CallBudget, options: ObservedCallOptions) {
    this.isLimited = call.isLimited;
    if (call.maxOutputTokens !== undefined) this.maxOutputTokens = call.maxOutputTokens;
    this.#call = call;
    this.#options = options;
    this.#sentAtMs = options.clock.now();
    options.observer.callStarted?.(options.facts);
  }

  /** The lane's `processing` is stored, after which the provider is called; with the failed attempt's number, it is called again. */
  send(failedAttempt: number | undefined): void {
    if (failedAttempt === undefined) this.#sentAtMs = this.#options.clock.now();
    else this.#attempts = failedAttempt + 1;
  }

  noteChunk(): void {
    this.#firstChunkAtMs ??= this.#options.clock.now();
  }

  /** Time from the first attempt to the provider's first output; `undefined` if it is not known. */
  get upstreamMs(): number | undefined {
    const firstMs = this.#firstOutputAtMs;
    return firstMs === undefined || this.#options.facts.isResumed ? undefined : firstMs - this.#sentAtMs;
  }

  /** Called for every batch but the last, also for one without output: first for the provider's first event. */
  cover(outputTokens: number): boolean | Promise<boolean> {
    this.noteChunk();
    if (outputTokens > 0) this.#firstOutputAtMs ??= this.#options.clock.now();
    return this.#call.cover(outputTokens);
  }

  repeat(): Promise<void> | undefined {
    return this.#call.repeat();
  }

  settle(usage: Usage): void {
    // The answer may have come in one batch.
    if (usage.outputTokens > 0) this.noteChunk();
    this.#call.settle(usage);
  }

  record(outcome: CallOutcome, usage: Usage, errorCode?: ErrorCode): void {
    this.#call.record(outcome, usage, errorCode);
    this.end(outcome, usage, errorCode);
  }

  end(outcome: CallOutcome, usage?: Usage, errorCode?: ErrorCode): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { observer, clock, facts, onEnd } = this.#options;
    onEnd();
    observer.callEnded?.(facts, {
      outcome,
      ...(errorCode === undefined ? {} : { errorCode }),
      ...(usage === undefined ? {} : { usage }),
      attempts: this.#attempts,
      durationMs: clock.now() - this.#sentAtMs,
      ...(this.#firstChunkAtMs === undefined
        ? {}
        : { timeToFirstChunkMs: this.#firstChunkAtMs - this.#sentAtMs }),
    });
  }
}
