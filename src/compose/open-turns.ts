import { sha256 } from "../adapters/system/system.ts";
import type { ChatDependencies } from "../chat/chat-context.ts";
import { faultsOf } from "../ports/observer.ts";
import { type Admission, createAdmission } from "../server/budget/admission.ts";
import { createNodePlaces } from "../server/budget/node-places.ts";
import { Slices } from "../server/budget/slices.ts";
import { recoverTurns } from "../server/recover-turns.ts";
import { createTurns, type Turns } from "../server/turns.ts";
import type { Parts } from "./open-parts.ts";

export interface OpenedTurns {
  readonly turns: Turns;
  readonly admission: Admission;
  /** Takes up the turns of a process that is gone. */
  recover(): Promise<unknown>;
}

/** Makes the server's turns and the limits of their number. */
export function openTurns(parts: Parts): OpenedTurns {
  const { settings, stores, budgets, callers, providers, personas, observer } = parts;
  const { logs, conversations, peers } = stores;
  const admission = openAdmission(parts);
  const recover = () => recoverTurns({ logs, conversations, personas, turns, observer });
  const turns = createTurns({
    chat: chatOf(parts),
    ...{ logs, peers, budgets, admission, observer },
    digest: sha256,
    isAdmitted: callers.isAdmitted,
    onLeft: () => void recover().catch(faultsOf(observer, "recovery")),
    get isMoneyLimited() {
      return settings.moneyPerDay !== undefined && !providers.isFree;
    },
    turnLimitMs: settings.turnLimitMs,
  });
  return { turns, admission, recover };
}

/** The places that a node holds beside its requests in flight, so that the next ones start without an ask. */
const freePlaces = 8;

function openAdmission({ settings, budgets, memory, clock, stores: { shared } }: Parts): Admission {
  const slices =
    shared &&
    new Slices({
      ...{ ...shared, clock },
      day: () => 0,
      amountsOf: () => [],
      // A small limit is counted exactly.
      reserveOf: ({ limit }) => Math.min(freePlaces, Math.floor(limit / 100)),
    });
  return createAdmission({
    budgets,
    places: slices && createNodePlaces(slices),
    maxPerKey: settings.maxRequestsPerKey,
    maxPerOwner: settings.maxRequestsPerOwner,
    maxInAll: settings.maxRequests,
    maxBytesPerOwner: memory.perOwner,
    maxBytes: memory.inAll,
  });
}

function chatOf({
  settings,
  clock,
  random,
  providers,
  prices,
  personas,
  stores,
  vendorIds,
  outputs,
}: Parts): ChatDependencies {
  return {
    ...{ clock, providers, prices, personas, vendorIds, outputs },
    conversations: stores.conversations,
    responses: stores.responses,
    digest: sha256,
    contextChars: settings.contextChars,
    maxAnswerChars: 4_000_000,
    retry: {
      maxRetries: 2,
      firstDelayMs: 500,
      maxDelayMs: 8_000,
      maxAskedDelayMs: 20_000,
      random,
    },
  };
}
