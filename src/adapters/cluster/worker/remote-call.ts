import type { CallBudget, CallPlan } from "../../../ports/turn-budget.ts";
import { estimatedUsage } from "../../../ports/usage-store.ts";
import type { BudgetHub, OpenedCall } from "../rpc/budget-hub.ts";

interface RemoteCallOptions {
  readonly hub: BudgetHub;
  readonly number: number;
  readonly plan: CallPlan;
  readonly opened: OpenedCall;
  /** Reports the failure of a message that no caller waits for. */
  readonly say: (said: Promise<void>) => void;
  /** Called when the call is recorded. */
  readonly onEnd: () => void;
}

export interface RemoteCall extends CallBudget {
  /** Ends the call's budget as failed: nothing will report the call's end. */
  abandon(): void;
}

/**
 * A call that another process pays for, a step at a time. The next step is requested when half of the present one is used, so output is
 * usually covered before it comes. Only a call that has used up its steps waits.
 */
export function createRemoteCall({ hub, number, plan, opened, say, onEnd }: RemoteCallOptions): RemoteCall {
  const { isLimited, maxOutputTokens } = opened;
  let used = 0;
  let covered = opened.coveredTokens;
  let asksAbove = halfWay();
  let extending: Promise<void> | undefined;
  let reservedInput = plan.inputTokens;
  let isSettled = false;

  /** The output at which to ask for more. An unlimited call only reports its output, early enough to be counted if this process dies. */
  function halfWay(): number {
    const isEnough = !isLimited || covered + 1 >= (plan.maxOutputTokens ?? Infinity);
    return isEnough ? covered : Math.floor((used + covered) / 2);
  }

  async function askForMore(): Promise<void> {
    try {
      const now = await hub.cover(number, Math.max(used, covered + 1));
      const hasGrown = now > covered;
      covered = Math.max(covered, now);
      // If there was no more now, there may be some when it is needed.
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
    // The request under way may have been made when less was used.
    await extending;
    if (outputTokens > covered) await extend();
    return outputTokens <= covered;
  }

  const call: RemoteCall = {
    isLimited,
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    cover(outputTokens) {
      used = outputTokens;
      if (isSettled || used <= asksAbove) return true;
      if (isLimited && used > covered) return coverLater(used);
      // An unlimited call reports each time, because output must be reserved before it is in the log.
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
