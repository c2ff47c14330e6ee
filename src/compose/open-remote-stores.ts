import type { Channel } from "../adapters/cluster/rpc/channel.ts";
import { type PrimaryControl, primaryControlMethods } from "../adapters/cluster/rpc/control.ts";
import { counterMethods, placeMethods, ticketMethods } from "../adapters/cluster/rpc/handshake-methods.ts";
import { remotePort } from "../adapters/cluster/rpc/remote-port.ts";
import {
  conversationMethods,
  responseMethods,
  usageMethods,
  vendorIdMethods,
} from "../adapters/cluster/rpc/store-methods.ts";
import { createRemoteBudgets } from "../adapters/cluster/worker/remote-budgets.ts";
import { createRemoteKeys } from "../adapters/cluster/worker/remote-keys.ts";
import { createRemotePeers } from "../adapters/cluster/worker/remote-peers.ts";
import { createRemoteTurnLogs } from "../adapters/cluster/worker/remote-turn-logs.ts";
import type { Caller } from "../ports/caller.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import { faultsOf } from "../ports/observer.ts";
import type { RateCounter } from "../ports/rate-counter.ts";
import type { ResponseStore } from "../ports/response-store.ts";
import type { SocketPlaces } from "../ports/socket-places.ts";
import type { Tickets } from "../ports/tickets.ts";
import type { UsageSums } from "../ports/usage-store.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";
import type { Settings } from "./settings.ts";
import type { OpenStores } from "./stores.ts";

/** The stores of a worker process. The primary process keeps them, and closes them once all workers are gone. */
export function openRemoteStores(channel: Channel): OpenStores {
  return async (settings, { observer }) => {
    const onFault = faultsOf(observer, "storage");
    const logs = createRemoteTurnLogs({ channel, onFault });
    const keys = createRemoteKeys(channel, onFault);
    const peers = createRemotePeers({ channel, turnOf: logs.turnOf, onFault });
    return {
      logs,
      conversations: remotePort<ConversationStore>(channel, "conversations", conversationMethods),
      keys,
      // Only now, when everything that the other process may call exists.
      keysBefore: await keys.list(),
      canStore: remotePort<PrimaryControl>(channel, "control", primaryControlMethods).canStore,
      tickets: remotePort<Tickets>(channel, "tickets", ticketMethods),
      responses: remotePort<ResponseStore>(channel, "responses", responseMethods),
      vendorIds: remotePort<VendorIds>(channel, "vendor-ids", vendorIdMethods),
      places: openRemotePlaces(channel),
      attempts: remotePort<RateCounter>(channel, "attempts", counterMethods),
      usage: remotePort<UsageSums>(channel, "usage", usageMethods),
      openBudgets: async () =>
        createRemoteBudgets({ channel, isLimited: (caller) => isLimitedInTime(settings, caller), onFault }),
      peers,
      [Symbol.asyncDispose]: async () => undefined,
    };
  };
}

/** The places of sockets that the primary process counts for all workers. */
export function openRemotePlaces(channel: Channel): SocketPlaces {
  return remotePort<SocketPlaces>(channel, "places", placeMethods);
}

/** Whether a limit of a minute or a day applies to the caller. */
function isLimitedInTime(settings: Settings, { limits, groups = [] }: Caller): boolean {
  const { serverTokensPerDay, moneyPerDay } = settings;
  const { requestsPerMinute = settings.requestsPerMinute, tokensPerDay = settings.tokensPerDay } = limits;
  const ofGroups = groups.flatMap((group) => [group.limits.requestsPerMinute, group.limits.tokensPerDay]);
  return [requestsPerMinute, tokensPerDay, serverTokensPerDay, moneyPerDay, ...ofGroups].some(
    (limit) => limit !== undefined,
  );
}
