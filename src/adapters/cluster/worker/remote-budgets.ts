import type { Budgets } from "../../../ports/budgets.ts";
import type { Caller } from "../../../ports/caller.ts";
import { type BudgetHub, budgetHubMethods } from "../rpc/budget-hub.ts";
import type { Channel } from "../rpc/channel.ts";
import { remotePort, tell } from "../rpc/remote-port.ts";
import { createRemoteCall, type RemoteCall } from "./remote-call.ts";

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
