import type { Budgets } from "../../../ports/budgets.ts";
import type { Caller } from "../../../ports/caller.ts";
import type { CallBudget, CallPlan } from "../../../ports/turn-budget.ts";
import { estimatedUsage } from "../../../ports/usage-store.ts";
import { type BudgetHub, budgetHubMethods, type OpenedCall } from "../rpc/budget-hub.ts";
import type { Channel } from "../rpc/channel.ts";
import { remotePort, tell } from "../rpc/remote-port.ts";

interface RemoteBudgetsOptions {
  readonly channel: Channel;
  /** Whether this caller has a limit per minute or per day. For other callers the other process is not asked. */
  readonly isLimited: (caller: Caller) => boolean;
  readonly onFault: (fault: unknown) => void;
}

/** Budgets that another process counts, for this process and others. */
export function createRemoteBudgets({ channel, isLimited, onFault }: RemoteBudgetsOptions): Budgets {
  const hub = remotePort<BudgetHub>(channel, "budgets", budgetHubMethods);
  const say = (said: Promise<void>) => tell(said, channel.ended, onFault);
  let lastTurn = 0;
  let lastCall = 0;

  return {
    async admit(caller, inputTokens) {
      if (isLimited(caller)) await hub.admit(caller, inputTokens);
    },
    openTurn(expense) {
      lastTurn += 1;
      const turn = lastTurn;
      const running = new Set<RemoteCall>();
      let isClosed = false;
      say(hub.openTurn(turn, expense));
      return {
        async open(plan) {
          lastCall += 1;
          const number = lastCall;
          const opened = await hub.open(turn, number, plan);
          const onEnd = () => running.delete(call);
          const call = createRemoteCall({ hub, number, plan, opened, say, onEnd });
          running.add(call);
          if (isClosed) call.abandon();
          return call;
        },
        [Symbol.dispose]() {
          isClosed = true;
          for (const call of running) call.abandon();
          say(hub.closeTurn(turn));
        },
      };
    },
    today: hub.today,
  };
}

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

interface RemoteCall extends CallBudget {
  /** Ends the call's budget as failed: nothing will report the call's end. */
  abandon(): void;
}

/**
 * A call that another process pays for, a step at a time. The next step is requested when half of the present one is used, so output is
 * usually covered before it comes. Only a call that has used up its steps waits.
 */
function createRemoteCall({ hub, number, plan, opened, say, onEnd }: RemoteCallOptions): RemoteCall {
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
