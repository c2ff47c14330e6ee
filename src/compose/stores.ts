import type { Budgets, CountedBudgets } from "../ports/budgets.ts";
import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { KeyStore, StoredKey } from "../ports/key-store.ts";
import type { Nodes } from "../ports/nodes.ts";
import type { Observer } from "../ports/observer.ts";
import type { Peers } from "../ports/peers.ts";
import type { Prices } from "../ports/prices.ts";
import type { RateCounter } from "../ports/rate-counter.ts";
import type { ResponseStore } from "../ports/response-store.ts";
import type { SocketPlaces } from "../ports/socket-places.ts";
import type { Tickets } from "../ports/tickets.ts";
import type { TurnLogStore } from "../ports/turn-log.ts";
import type { UsageSums } from "../ports/usage-store.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";
import type { Shared } from "../server/budget/day-budgets.ts";
import type { Settings } from "./settings.ts";

/** The stores of all data that must not be lost. */
export interface Stores extends AsyncDisposable {
  readonly logs: TurnLogStore & { readonly bytes: number; readonly count: number };
  readonly conversations: ConversationStore;
  /** The other servers that share these stores. */
  readonly peers: Peers;
  readonly keys: KeyStore;
  /** All keys as they were at the start, before `keys` reports revocations. */
  readonly keysBefore: readonly StoredKey[];
  readonly usage: UsageSums;
  readonly tickets: Tickets;
  /** The owners of the ids that the vendor made. */
  readonly vendorIds: VendorIds;
  /** The responses that later requests can continue. */
  readonly responses: ResponseStore;
  /** Counts attempts without a valid key, by address. */
  readonly attempts: RateCounter;
  /** The purses that other servers on these stores pay from as well. Absent: there are none. */
  readonly shared?: Shared;
  /** Counts the open sockets. */
  readonly places: SocketPlaces;
  /**
   * Aborts when other servers have taken over the turns of this one: it must leave them at once. Absent: no other server shares the stores,
   * or this one does not outlive its place among them.
   */
  readonly lost?: AbortSignal;
  /** The servers that share these stores; absent if there can be no others. */
  readonly nodes?: Nodes;
  /**
   * Sets the function that is called when this server cannot reach the stores, but others may, and when it can again. Absent: there are no
   * others.
   */
  readonly onCutOff?: (listener: (isCutOff: boolean) => void) => void;
  /** Whether this server cannot reach the stores now, but others may. Calls the listener of `onCutOff` first if that is new. */
  readonly isCutOff?: () => boolean;
  /** Whether new data can be stored now. */
  canStore(): Promise<boolean>;
  /** The budgets of all processes that share these stores. Called once, at the start. */
  openBudgets(prices: Prices): Promise<Budgets>;
}

/** Stores in the process that keeps them. */
export interface KeptStores extends Stores {
  openBudgets(prices: Prices): Promise<CountedBudgets>;
}

/** The parts that every store uses. */
export interface StoreParts {
  readonly clock: Clock;
  readonly observer: Observer;
  /** Is given lines for the operator about the database. */
  readonly onWarning?: (message: string) => void;
}

/** Opens the stores of a server. */
export type OpenStores = (settings: Settings, parts: StoreParts) => Promise<Stores>;
