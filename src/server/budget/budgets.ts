import type { CountedBudgets, CountedTurn, TurnExpense } from "../../ports/budgets.ts";
import type { Caller } from "../../ports/caller.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Usage } from "../../ports/provider.ts";
import type { RateCounter } from "../../ports/rate-counter.ts";
import type { CallPlan, CountedCall } from "../../ports/turn-budget.ts";
import {
  type CallOutcome,
  type DayNumber,
  estimatedUsage,
  recordedCost,
  type UsageStore,
} from "../../ports/usage-store.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { DayBudgets } from "./day-budgets.ts";
import { Ledger, outputLeft, type Purse, Reservation } from "./ledger.ts";

interface BudgetsOptions extends TurnBudgetOptions {
  /** Maximum requests a minute of a key that has no limit of its own; absent: no limit. */
  readonly maxPerMinute: number | undefined;
  /** Counts requests in windows of a minute. */
  readonly minutes: RateCounter;
}

/** The budgets of the whole server, counted in this process. */
export function createBudgets({ maxPerMinute, minutes, ...ofTurns }: BudgetsOptions): CountedBudgets {
  const { days } = ofTurns;

  /** Counts narrow limits first: a request that one of them refuses does not count in the wider ones. */
  async function countRequest({ keyId, limits, groups = [] }: Caller): Promise<void> {
    await countFor(keyId, "This key", limits.requestsPerMinute ?? maxPerMinute);
    for (const { id, name, limits } of groups) await countFor(`group ${id}`, name, limits.requestsPerMinute);
  }

  async function countFor(counted: string, name: string, most: number | undefined): Promise<void> {
    if (most === undefined) return;
    const { count, windowEndsInMs } = await minutes.add(counted);
    if (count <= most) return;
    const detail = `${name} may ask ${most} times a minute.`;
    throw new TroupeError("request_rate_exceeded", { detail, retryAfterMs: windowEndsInMs });
  }

  return {
    get reservedTokens() {
      return days.reservedTokens;
    },
    async admit(caller, inputTokens) {
      days.check(caller, inputTokens);
      await countRequest(caller);
    },
    openTurn: (expense) => createTurnBudget(expense, ofTurns),
    today: async () => days.day.current(),
  };
}

interface TurnBudgetOptions {
  readonly clock: Clock;
  readonly usage: UsageStore;
  readonly days: DayBudgets;
  /** Output tokens reserved at a time for a call. */
  readonly stepTokens: number;
}

/** Pays for a turn's calls and records them. Disposing it ends the calls that are still open, as `failed`. */
export function createTurnBudget(
  { caller, requestId, conversationId, budgetTokens = Infinity, lanes }: TurnExpense,
  { clock, usage, days, stepTokens }: TurnBudgetOptions,
): CountedTurn {
  const own: Purse = {
    ledger: new Ledger(),
    limit: budgetTokens,
    price: { input: 1, output: 1 },
    refusal: () => ({ detail: "The request's budget_tokens do not cover it.", retryable: false }),
  };
  const running = new Set<PaidCall>();
  let lanesToCome = lanes;

  /** The first step that a call may take, so that later lanes find as much. A lane counts once, with its first call here. */
  function share({ inputTokens, call = 0, isBegun, isFallback }: CallPlan): number {
    if ((call === 0 || isBegun) && isFallback === undefined) lanesToCome -= 1;
    const even = Math.floor(outputLeft(own, 0) / (1 + Math.max(0, lanesToCome)));
    return even - inputTokens;
  }

  return {
    open(plan) {
      if (plan.isBegun && requestId !== undefined) days.takeBack({ owner: caller.owner, requestId, ...plan });
      const reservation = new Reservation([own].concat(days.purses(caller, plan)), plan, {
        stepTokens,
        shareTokens: share(plan),
      });
      const call = new PaidCall(reservation, plan, {
        ...{ caller, requestId, conversationId, clock, usage, days },
        onEnd: () => running.delete(call),
      });
      running.add(call);
      return call;
    },
    [Symbol.dispose]() {
      for (const call of running) call.abandon();
    },
  };
}

interface PaidCallOptions extends Omit<TurnBudgetOptions, "stepTokens"> {
  readonly caller: Caller;
  readonly requestId: string | undefined;
  readonly conversationId: string | undefined;
  readonly onEnd: () => void;
}

/** A call that is paid from a reservation and recorded as it goes. */
class PaidCall implements CountedCall {
  readonly isLimited: boolean;
  readonly maxOutputTokens?: number;
  readonly #reservation: Reservation;
  readonly #options: PaidCallOptions;
  readonly #id: string;
  readonly #plan: Pick<CallPlan, "api" | "model" | "lane" | "call">;
  #settledOn: DayNumber | undefined;
  #isOver = false;

  constructor(reservation: Reservation, plan: CallPlan, options: PaidCallOptions) {
    const { clock, usage, days, caller, requestId, conversationId } = options;
    const { inputTokens, isBegun, api, model, lane, call } = plan;
    const place = { ...(lane === undefined ? {} : { lane }), ...(call === undefined ? {} : { call }) };
    this.#reservation = reservation;
    this.#options = options;
    this.#plan = { api, model, ...place };
    this.#id = clock.newId();
    this.isLimited = reservation.isLimited;
    if (reservation.maxOutputTokens !== undefined) this.maxOutputTokens = reservation.maxOutputTokens;
    usage.begin({
      ...{ id: this.#id, owner: caller.owner, keyId: caller.keyId, api, model, isBegun, inputTokens },
      day: days.day.current(),
      ...(requestId === undefined ? {} : { requestId }),
      ...(conversationId === undefined ? {} : { conversationId }),
      ...place,
      atMs: clock.wallTimeMs(),
      outputTokens: reservation.reserved,
    });
  }

  get reserved(): number {
    return this.#reservation.reserved;
  }

  get reservedInput(): number {
    return this.#reservation.reservedInput;
  }

  get coveredTokens(): number {
    return this.#reservation.coveredTokens;
  }

  cover(outputTokens: number): boolean {
    const before = this.#reservation.reserved;
    const isCovered = this.#reservation.cover(outputTokens);
    if (this.#reservation.reserved > before) this.#noteReserved();
    return isCovered;
  }

  repeat(): undefined {
    this.#reservation.repeat();
    this.#noteReserved();
  }

  settle(used: Usage): void {
    this.#settledOn ??= this.#options.days.day.current();
    this.#reservation.settle(used);
  }

  record(outcome: CallOutcome, used: Usage): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onEnd();
    this.settle(used);
    const { usage, days } = this.#options;
    usage.end(this.#id, { usage: used, outcome, day: this.#settledOn ?? days.day.current() });
    const { requestId, caller } = this.#options;
    // Another process may resume it, while this one counts.
    if (outcome === "interrupted" && requestId !== undefined)
      days.noteLeft({
        ...{ owner: caller.owner, keyId: caller.keyId, requestId, ...this.#plan },
        ...{ inputTokens: used.inputTokens, outputTokens: used.outputTokens, ...knownCost(used) },
      });
  }

  /** Ends a call whose end was never recorded. */
  abandon(): void {
    this.record("failed", estimatedUsage(this.#reservation.reservedInput, this.#reservation.used));
  }

  #noteReserved(): void {
    const { reservedInput, reserved } = this.#reservation;
    this.#options.usage.extend(this.#id, reservedInput, reserved);
  }
}

/** The dollars of a call, if all of it has a price. */
function knownCost(used: Usage): { cost?: number } {
  const cost = recordedCost(used)?.usd;
  return cost === undefined ? {} : { cost };
}
