import type { CallBudget, CallPlan } from "../../ports/turn-budget.ts";
import { estimatedUsage } from "../../ports/usage-store.ts";
import type { BudgetHub, OpenedCall } from "./budget-hub.ts";

export interface RemoteCallOptions {
  readonly hub: BudgetHub;
  readonly number: number;
  readonly plan: CallPlan;
  readonly opened: OpenedCall;
  /** What nobody waits for. */
  readonly say: (said: Promise<void>) => void;
  /** It is recorded. */
  readonly onEnd: () => void;
}

export interface RemoteCall extends CallBudget {
  /** It will not be heard to its end. */
  abandon(): void;
}

/**
 * A call that another process pays for, a step at a time. The next step is asked for when half of the present one is used, so that
 * what is written is usually covered already and nothing waits; only a call that has come to the end of its steps does.
 */
export function createRemoteCall({ hub, number, plan, opened, say, onEnd }: RemoteCallOptions): RemoteCall {
  const { isLimited, mostOutputTokens } = opened;
  let used = 0;
  let covered = opened.coveredTokens;
  let asksAbove = halfWay();
  let extending: Promise<void> | undefined;
  let reservedInput = plan.inputTokens;
  let isSettled = false;

  /** Where to ask for more: what nothing limits is only told, in time to count when this process is gone. */
  function halfWay(): number {
    const isEnough = !isLimited || covered + 1 >= (plan.mostOutputTokens ?? Infinity);
    return isEnough ? covered : Math.floor((used + covered) / 2);
  }

  async function askForMore(): Promise<void> {
    try {
      const now = await hub.cover(number, Math.max(used, covered + 1));
      const hasGrown = now > covered;
      covered = Math.max(covered, now);
      // Where there was no more there may be some when it is needed.
      asksAbove = hasGrown ? halfWay() : covered;
    } finally {
      extending = undefined;
    }
  }
  function extend(): Promise<void> {
    extending ??= askForMore();
    return extending;
  }

  async function coverLater(outputTokens: number): Promise<boolean> {
    // What is under way may have been asked for when less was written.
    await extending;
    if (outputTokens > covered) await extend();
    return outputTokens <= covered;
  }

  const call: RemoteCall = {
    isLimited,
    ...(mostOutputTokens === undefined ? {} : { mostOutputTokens }),
    cover(outputTokens) {
      used = outputTokens;
      if (isSettled || used <= asksAbove) return true;
      if (isLimited && used > covered) return coverLater(used);
      // What nothing limits is told each time: nothing may be in the log that is not reserved.
      say(isLimited ? extend() : askForMore());
      return true;
    },
    async repeat() {
      await hub.repeat(number);
      reservedInput += plan.inputTokens;
    },
    settle(usage) {
      if (isSettled) return;
      isSettled = true;
      say(hub.settle(number, usage));
    },
    record(outcome, usage) {
      isSettled = true;
      say(hub.record(number, outcome, usage));
      onEnd();
    },
    abandon() {
      call.record("failed", estimatedUsage(reservedInput, used));
    },
  };
  return call;
}
