import path from "node:path";
import { createMemoryConversations } from "../adapters/memory/memory-conversations.ts";
import { createMemoryKeys } from "../adapters/memory/memory-keys.ts";
import { createMemoryTickets } from "../adapters/memory/memory-tickets.ts";
import { createMemoryUsage } from "../adapters/memory/memory-usage.ts";
import { createMemoryVendorIds } from "../adapters/memory/memory-vendor-ids.ts";
import { createRateCounter } from "../adapters/rate-limiter/rate-counter.ts";
import { openServedTime } from "../adapters/sqlite/served-time.ts";
import { createSqliteConversations } from "../adapters/sqlite/sqlite-conversations.ts";
import { createSqliteKeys } from "../adapters/sqlite/sqlite-keys.ts";
import { createSqliteStore, type SqliteStoreOptions } from "../adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../adapters/sqlite/sqlite-turn-logs.ts";
import { createSqliteUsage } from "../adapters/sqlite/sqlite-usage.ts";
import { createSqliteVendorIds } from "../adapters/sqlite/sqlite-vendor-ids.ts";
import { createMemoryTurnLogs } from "../adapters/turn-log/memory-turn-logs.ts";
import { createSocketPlaces } from "../adapters/ws/socket-places.ts";
import type { Budgets, CountedBudgets } from "../ports/budgets.ts";
import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { KeyStore, StoredKey } from "../ports/key-store.ts";
import { noPeers, type Peers } from "../ports/peers.ts";
import type { RateCounter } from "../ports/rate-counter.ts";
import type { SocketPlaces } from "../ports/socket-places.ts";
import type { Tickets } from "../ports/tickets.ts";
import type { TurnLogStore } from "../ports/turn-log.ts";
import type { UsageStore, UsageSums } from "../ports/usage-store.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";
import { type BudgetDependencies, openBudgets, type PricedModels } from "./open-budgets.ts";
import { openPrivateFolder } from "./private-folder.ts";
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
  /** Counts attempts without a valid key, by address. */
  readonly attempts: RateCounter;
  /** Counts the open sockets. */
  readonly places: SocketPlaces;
  /** Whether new data can be stored now. */
  canStore(): Promise<boolean>;
  /** The budgets of all processes that share these stores. Called once, at the start. */
  openBudgets(models: PricedModels): Promise<Budgets>;
}

/** Stores in the process that keeps them. */
export interface KeptStores extends Stores {
  openBudgets(models: PricedModels): Promise<CountedBudgets>;
}

export interface StoreListeners
  extends Required<Pick<SqliteStoreOptions, "clock" | "onStorage" | "onDamage">> {
  /** Called for failed writes that no caller waits for. */
  readonly onFault: (fault: unknown) => void;
  /** Called for faults that the user should correct, such as the rights of the data folder. */
  readonly onWarning: (warning: string) => void;
}

/** Opens the stores of a server. */
export type OpenStores = (settings: Settings, listeners: StoreListeners) => Promise<Stores>;

/** Opens the stores that the settings ask for: an SQLite database in the data folder, or memory. */
export async function openStores(
  settings: Settings,
  { clock, onFault, onStorage, onWarning, onDamage }: StoreListeners,
): Promise<KeptStores> {
  const { logRetentionMs: retentionMs, logBytes: mostBytes } = settings;
  const tickets = createMemoryTickets({ clock });
  const attempts = createRateCounter({ clock, windowMs: 60_000 });
  const { maxConnections: maxInAll, maxConnectionsPerKey: maxPerKey } = settings;
  const places = createSocketPlaces({ maxInAll, maxPerKey });
  if (settings.store === "memory") {
    const usage = createMemoryUsage();
    const questions = createMemoryConversations({ clock, mostBytes: settings.conversationBytes });
    const logs = { clock, retentionMs: Math.min(retentionMs, 15 * 60_000), mostBytes, questions };
    return {
      logs: createMemoryTurnLogs(logs),
      conversations: questions,
      peers: noPeers,
      keys: createMemoryKeys({ clock }),
      keysBefore: [],
      canStore: async () => true,
      usage,
      openBudgets: (models) => openBudgets(settings, dependenciesOf(clock, usage, models)),
      tickets,
      vendorIds: createMemoryVendorIds({ clock }),
      attempts,
      places,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  await openPrivateFolder(settings.data, { files: ["troupe.db", "troupe.db-lock"], onWarning });
  const file = path.join(settings.data, "troupe.db");
  const { synchronous } = settings;
  const store = await createSqliteStore({ clock, file, synchronous, onStorage, onDamage });
  // A store left open after a failure would keep the process from ending.
  await using opening = new AsyncDisposableStack();
  opening.use(store);
  const conversations = opening.use(createSqliteConversations({ store, clock, onFault }));
  const { answerRetentionMs } = settings;
  const served = await openServedTime(store, clock);
  const logs = opening.use(
    await createSqliteTurnLogs({ store, clock, served, retentionMs, answerRetentionMs, mostBytes, onFault }),
  );
  const keys = createSqliteKeys({ store, clock });
  const keysBefore = await keys.list();
  const usage = createSqliteUsage({ store, keepDays: settings.usageDays, onFault });
  const vendorIds = createSqliteVendorIds({ store, served });
  const opened = opening.move();
  return {
    logs,
    conversations,
    keys,
    keysBefore,
    usage,
    openBudgets: (models) => openBudgets(settings, dependenciesOf(clock, usage, models)),
    tickets,
    vendorIds,
    attempts,
    places,
    peers: noPeers,
    canStore: async () => store.fault === undefined,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Keeps `simulated` a getter, because it may change. */
function dependenciesOf(clock: Clock, usage: UsageStore, models: PricedModels): BudgetDependencies {
  const { model, onWarning } = models;
  return {
    ...{ clock, usage, model, onWarning },
    get simulated() {
      return models.simulated;
    },
  };
}
