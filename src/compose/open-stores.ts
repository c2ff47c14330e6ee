import path from "node:path";
import { createMemoryConversations } from "../adapters/memory/memory-conversations.ts";
import { createMemoryKeys } from "../adapters/memory/memory-keys.ts";
import { createMemoryTickets } from "../adapters/memory/memory-tickets.ts";
import { createMemoryUsage } from "../adapters/memory/memory-usage.ts";
import { createMemoryVendorIds } from "../adapters/memory/memory-vendor-ids.ts";
import { createRateCounter } from "../adapters/rate-limiter/rate-counter.ts";
import { openServedTime } from "../adapters/sqlite/retention.ts";
import { createSqliteConversations } from "../adapters/sqlite/sqlite-conversations.ts";
import { createSqliteKeys } from "../adapters/sqlite/sqlite-keys.ts";
import { createSqliteStore } from "../adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../adapters/sqlite/sqlite-turn-logs.ts";
import { createSqliteUsage } from "../adapters/sqlite/sqlite-usage.ts";
import { createSqliteVendorIds } from "../adapters/sqlite/sqlite-vendor-ids.ts";
import { createMemoryTurnLogs } from "../adapters/turn-log/memory-turn-logs.ts";
import { createSocketPlaces } from "../adapters/ws/socket-places.ts";
import type { Budgets, CountedBudgets } from "../ports/budgets.ts";
import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { KeyStore, StoredKey } from "../ports/key-store.ts";
import type { Observer } from "../ports/observer.ts";
import { noPeers, type Peers } from "../ports/peers.ts";
import type { RateCounter } from "../ports/rate-counter.ts";
import type { SocketPlaces } from "../ports/socket-places.ts";
import type { Tickets } from "../ports/tickets.ts";
import type { TurnLogStore } from "../ports/turn-log.ts";
import type { UsageSums } from "../ports/usage-store.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";
import { openBudgets, type PricedModels } from "./open-budgets.ts";
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
interface KeptStores extends Stores {
  openBudgets(models: PricedModels): Promise<CountedBudgets>;
}

/** The parts that every store uses. */
interface StoreParts {
  readonly clock: Clock;
  readonly observer: Observer;
}

/** Opens the stores of a server. */
export type OpenStores = (settings: Settings, parts: StoreParts) => Promise<Stores>;

/** Opens the stores that the settings ask for: an SQLite database in the data folder, or memory. */
export function openStores(settings: Settings, parts: StoreParts): Promise<KeptStores> {
  return settings.store === "memory" ? openMemory(settings, parts) : openDatabase(settings, parts);
}

async function openMemory(settings: Settings, parts: StoreParts): Promise<KeptStores> {
  const { clock } = parts;
  const { logRetentionMs, logBytes: maxBytes } = settings;
  const usage = createMemoryUsage();
  const questions = createMemoryConversations({ clock, maxBytes: settings.conversationBytes });
  const retentionMs = Math.min(logRetentionMs, 15 * 60_000);
  return {
    logs: createMemoryTurnLogs({ clock, retentionMs, maxBytes, questions }),
    conversations: questions,
    peers: noPeers,
    keys: createMemoryKeys({ clock }),
    keysBefore: [],
    canStore: async () => true,
    usage,
    openBudgets: (models) => openBudgets(settings, { ...parts, usage, models }),
    vendorIds: createMemoryVendorIds({ clock }),
    ...openCounters(settings, clock),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function openDatabase(settings: Settings, parts: StoreParts): Promise<KeptStores> {
  const { clock, observer } = parts;
  const { logRetentionMs: retentionMs, answerRetentionMs, logBytes: maxBytes, synchronous } = settings;
  await openPrivateFolder(settings.data, {
    files: ["troupe.db", "troupe.db-lock"],
    onWarning: (message) => observer.warned?.({ message }),
  });
  const file = path.join(settings.data, "troupe.db");
  const store = await createSqliteStore({ clock, file, synchronous, observer });
  // A store left open after a failure would keep the process from ending.
  await using opening = new AsyncDisposableStack();
  opening.use(store);
  const conversations = opening.use(createSqliteConversations({ store, clock }));
  const served = await openServedTime(store, clock);
  const logs = opening.use(
    await createSqliteTurnLogs({ store, clock, served, retentionMs, answerRetentionMs, maxBytes }),
  );
  const keys = createSqliteKeys({ store, clock });
  const keysBefore = await keys.list();
  const usage = createSqliteUsage({ store, keepDays: settings.usageDays });
  const vendorIds = createSqliteVendorIds({ store, served });
  const opened = opening.move();
  return {
    ...{ logs, conversations, keys, keysBefore, usage, vendorIds },
    ...openCounters(settings, clock),
    peers: noPeers,
    canStore: async () => store.fault === undefined,
    openBudgets: (models) => openBudgets(settings, { ...parts, usage, models }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** The parts that are in memory with every store: a restart forgets tickets, wrong keys and sockets. */
function openCounters(settings: Settings, clock: Clock): Pick<Stores, "tickets" | "attempts" | "places"> {
  return {
    tickets: createMemoryTickets({ clock }),
    attempts: createRateCounter({ clock, windowMs: 60_000 }),
    places: createSocketPlaces({
      maxInAll: settings.maxConnections,
      maxPerKey: settings.maxConnectionsPerKey,
    }),
  };
}
