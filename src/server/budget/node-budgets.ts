import type { Budgets, CountedBudgets, CountedTurn } from "../../ports/budgets.ts";
import type { Caller } from "../../ports/caller.ts";
import type { CallBudget, CallPlan, CountedCall, TurnBudget } from "../../ports/turn-budget.ts";
import { type DayBudgets, sharedOnes } from "./day-budgets.ts";
import { costOf } from "./ledger.ts";
import type { Need, Slices } from "./slices.ts";

interface NodeBudgetsOptions {
  /** The budgets of this node, whose purses are limited by its slices. */
  readonly counted: CountedBudgets;
  readonly days: DayBudgets;
  readonly slices: Slices;
  /** Output tokens reserved at a time for a call. */
  readonly stepTokens: number;
}

/** The budgets of a node that pays from the same purses as others: a call waits until this node's slices cover it. */
export function createNodeBudgets({ counted, days, slices, stepTokens }: NodeBudgetsOptions): Budgets {
  return {
    get reservedTokens() {
      return counted.reservedTokens ?? 0;
    },
    today: counted.today,
    async admit(caller, inputTokens) {
      const purses = days.sharedPurses(caller);
      if (purses.length > 0) await slices.refreshed(purses);
      await counted.admit(caller, inputTokens);
    },
    openTurn(expense) {
      const turn = counted.openTurn(expense);
      return new NodeTurn(turn, expense.caller, { days, slices, stepTokens });
    },
  };
}

type NodeTurnOptions = Omit<NodeBudgetsOptions, "counted">;

/** The tokens that a call is about to reserve. */
type Step = (inputTokens: number, outputTokens: number) => Need[];

class NodeTurn implements TurnBudget, Disposable {
  readonly #turn: CountedTurn;
  readonly #caller: Caller;
  readonly #options: NodeTurnOptions;
  readonly #running = new Set<NodeCall>();
  #isClosed = false;

  constructor(turn: CountedTurn, caller: Caller, options: NodeTurnOptions) {
    this.#turn = turn;
    this.#caller = caller;
    this.#options = options;
  }

  open(plan: CallPlan): CallBudget | Promise<CallBudget> {
    const { slices, stepTokens } = this.#options;
    const step = this.#stepOf(plan);
    const { inputTokens, maxOutputTokens = Infinity } = plan;
    return slices.whenCovered(step(inputTokens, Math.min(stepTokens, maxOutputTokens)), () => {
      const onEnd = () => this.#running.delete(call);
      const call = new NodeCall(this.#turn.open(plan), { ...this.#options, plan, step, onEnd });
      this.#running.add(call);
      // Its turn has ended while it waited, so no other part ends it.
      if (this.#isClosed) this[Symbol.dispose]();
      return call;
    });
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#turn[Symbol.dispose]();
    for (const call of this.#running) call.release();
  }

  #stepOf(plan: CallPlan): Step {
    const purses = sharedOnes(this.#options.days.purses(this.#caller, plan));
    return (inputTokens, outputTokens) =>
      purses.map((purse) => ({ purse, amount: costOf(purse.price, inputTokens, outputTokens) }));
  }
}

interface NodeCallOptions extends NodeTurnOptions {
  readonly plan: CallPlan;
  readonly step: Step;
  readonly onEnd: () => void;
}

/** A call that waits for this node's slices before it reserves more than they hold. */
class NodeCall implements CallBudget {
  readonly isLimited: boolean;
  readonly maxOutputTokens?: number;
  readonly #call: CountedCall;
  readonly #options: NodeCallOptions;
  /** The next step, for which the slices have room while the call runs. */
  readonly #next: readonly Need[];
  #isOver = false;

  constructor(call: CountedCall, options: NodeCallOptions) {
    this.#call = call;
    this.#options = options;
    this.#next = options.step(0, options.stepTokens);
    this.isLimited = call.isLimited;
    if (call.maxOutputTokens !== undefined) this.maxOutputTokens = call.maxOutputTokens;
    options.slices.spare(this.#next, 1);
  }

  cover(outputTokens: number): boolean | Promise<boolean> {
    const { slices, step, stepTokens } = this.#options;
    if (this.#call.cover(outputTokens)) return true;
    const missing = Math.max(0, outputTokens + stepTokens - this.#call.reserved);
    return slices.whenCovered(step(0, missing), () => this.#call.cover(outputTokens));
  }

  repeat(): Promise<void> | undefined {
    const { slices, step, plan } = this.#options;
    const repeated = slices.whenCovered(step(plan.inputTokens, 0), () => this.#call.repeat());
    return repeated instanceof Promise ? repeated : undefined;
  }

  settle(...usage: Parameters<CallBudget["settle"]>): void {
    this.#call.settle(...usage);
  }

  record(...end: Parameters<CallBudget["record"]>): void {
    this.#call.record(...end);
    this.release();
  }

  /** It needs no further step. */
  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.slices.spare(this.#next, -1);
    this.#options.onEnd();
  }
}
