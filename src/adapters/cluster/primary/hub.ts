import type { CountedBudgets } from "../../../ports/budgets.ts";
import type { ConversationStore } from "../../../ports/conversation-store.ts";
import type { KeyStore } from "../../../ports/key-store.ts";
import { faultsOf, type Observer } from "../../../ports/observer.ts";
import type { RateCounter } from "../../../ports/rate-counter.ts";
import type { ResponseStore } from "../../../ports/response-store.ts";
import type { SocketPlaces } from "../../../ports/socket-places.ts";
import type { Tickets } from "../../../ports/tickets.ts";
import type { TurnLogStore } from "../../../ports/turn-log.ts";
import type { UsageSums } from "../../../ports/usage-store.ts";
import type { VendorIds } from "../../../ports/vendor-ids.ts";
import { budgetHubMethods } from "../rpc/budget-hub.ts";
import type { Channel } from "../rpc/channel.ts";
import { counterMethods, placeMethods, ticketMethods } from "../rpc/handshake-methods.ts";
import { logHubMethods } from "../rpc/log-hub.ts";
import { peerHubMethods, type WorkerPort, workerMethods } from "../rpc/peer-hub.ts";
import { remotePort, servePort, tell } from "../rpc/remote-port.ts";
import { conversationMethods, responseMethods, usageMethods, vendorIdMethods } from "../rpc/store-methods.ts";
import { createDirectory, type DirectoryEntry, type DirectoryLimits, type Member } from "./directory.ts";
import { createBudgetHub } from "./serve-budgets.ts";
import { createKeyHub } from "./serve-keys.ts";
import { createLogHub, newestCheckpoints } from "./serve-logs.ts";
import { createPeerHub, createSubscribers } from "./serve-peers.ts";
import { createPlaceHub } from "./serve-places.ts";

interface HubOptions extends DirectoryLimits {
  readonly logs: TurnLogStore;
  readonly conversations: ConversationStore;
  readonly keys: KeyStore;
  readonly usage: UsageSums;
  readonly budgets: CountedBudgets;
  readonly tickets: Tickets;
  readonly vendorIds: VendorIds;
  readonly responses: ResponseStore;
  readonly attempts: RateCounter;
  readonly places: SocketPlaces;
  /** Is told if a process is there but a message to it failed. */
  readonly observer: Observer;
}

/** The state that all processes share, in the process that keeps it. */
interface Hub {
  /**
   * Serves a process that runs turns. When it is gone, another process gets its turns to end them; if there is none, the next one that
   * starts.
   */
  admit(channel: Channel): void;
}

export async function createHub(options: HubOptions): Promise<Hub> {
  const { logs, conversations, keys, usage, budgets, tickets, attempts, vendorIds, responses, places } =
    options;
  const { maxPerKey, maxPerOwner, maxInAll, maxBytesPerOwner, maxBytes, observer } = options;
  const onFault = faultsOf(observer, "worker");
  const members = new Set<Member>();
  const subscribers = createSubscribers();
  const keyHub = createKeyHub(keys, onFault);
  const limits = { maxPerKey, maxPerOwner, maxInAll, maxBytesPerOwner, maxBytes };
  const directory = createDirectory({ ...limits, onLeft });

  function onLeft(): void {
    // A process that is starting asks by itself.
    const member = [...members].find(({ hasAsked }) => hasAsked);
    if (member !== undefined) tell(member.worker.left(), member.gone, onFault);
  }

  /** Tells the process that ran the turn that followers in other processes no longer count. */
  function onEnd({ record, runner, watchers }: DirectoryEntry): void {
    if (runner !== undefined && watchers.size > 0)
      tell(runner.worker.watched(record.owner, record.id, false), runner.gone, onFault);
  }

  for (const { record, log, request: resumable, steps, stops } of await logs.unfinished()) {
    const left = { checkpoints: newestCheckpoints(steps), ...(stops === undefined ? {} : { stops }) };
    directory.add({ record, log, resumable, ...left, runner: undefined, release: () => undefined });
  }

  return {
    admit(channel) {
      const worker = remotePort<WorkerPort>(channel, "worker", workerMethods);
      const member: Member = { worker, gone: channel.ended, hasAsked: false };
      members.add(member);
      servePort(channel, "conversations", conversationMethods, conversations);
      keyHub.admit(channel);
      servePort(channel, "tickets", ticketMethods, tickets);
      servePort(channel, "vendor-ids", vendorIdMethods, vendorIds);
      servePort(channel, "responses", responseMethods, responses);
      servePort(channel, "attempts", counterMethods, attempts);
      servePort(channel, "places", placeMethods, createPlaceHub(places, member.gone));
      servePort(channel, "usage", usageMethods, usage);
      servePort(channel, "budgets", budgetHubMethods, createBudgetHub(budgets, member.gone));
      servePort(channel, "logs", logHubMethods, createLogHub({ logs, directory, member, onEnd }));
      const peers = createPeerHub({ directory, member, members, subscribers, onFault });
      servePort(channel, "peers", peerHubMethods, peers);
      member.gone.addEventListener("abort", () => {
        members.delete(member);
        subscribers.leave(member);
        directory.leave(member);
      });
    },
  };
}
