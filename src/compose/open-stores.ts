import path from "node:path";
import { createMemoryConversations } from "../adapters/memory/memory-conversations.ts";
import { createMemoryKeys } from "../adapters/memory/memory-keys.ts";
import { createMemoryResponses } from "../adapters/memory/memory-responses.ts";
import { createMemoryTickets } from "../adapters/memory/memory-tickets.ts";
import { createMemoryUsage } from "../adapters/memory/memory-usage.ts";
import { createMemoryVendorIds } from "../adapters/memory/memory-vendor-ids.ts";
import { createRateCounter } from "../adapters/rate-limiter/rate-counter.ts";
import { createSqliteConversations } from "../adapters/sqlite/sqlite-conversations.ts";
import { createSqliteKeys } from "../adapters/sqlite/sqlite-keys.ts";
import { createSqliteResponses } from "../adapters/sqlite/sqlite-responses.ts";
import { createSqliteStore, openServedTime } from "../adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../adapters/sqlite/sqlite-turn-logs.ts";
import { createSqliteUsage } from "../adapters/sqlite/sqlite-usage.ts";
import { createSqliteVendorIds } from "../adapters/sqlite/sqlite-vendor-ids.ts";
import { createMemoryTurnLogs } from "../adapters/turn-log/memory-turn-logs.ts";
import { createSocketPlaces } from "../adapters/ws/socket-places.ts";
import type { Clock } from "../ports/clock.ts";
import { noPeers } from "../ports/peers.ts";
import { openBudgets } from "./open-budgets.ts";
import { openPrivateFolder } from "./private-folder.ts";
import type { Settings } from "./settings.ts";
import type { KeptStores, StoreParts, Stores } from "./stores.ts";

/** Opens the stores that the settings ask for: a PostgreSQL database, an SQLite database in the data folder, or memory. */
export async function openStores(settings: Settings, parts: StoreParts): Promise<Stores> {
  const { databaseUrl } = settings;
  if (databaseUrl === undefined) return openOwnStores(settings, parts);
  // A server without it does not load the client.
  const { openPostgres } = await import("./open-postgres.ts");
  return openPostgres(databaseUrl, settings, parts);
}

/** Opens stores that no other server shares. */
export async function openOwnStores(settings: Settings, parts: StoreParts): Promise<KeptStores> {
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
    openBudgets: (prices) => openBudgets(settings, { ...parts, usage, prices }),
    vendorIds: createMemoryVendorIds({ clock }),
    responses: createMemoryResponses({ clock, retentionMs }),
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
  const responses = createSqliteResponses({
    ...{ store, served },
    retentionMs: Math.max(retentionMs, answerRetentionMs),
  });
  const opened = opening.move();
  return {
    ...{ logs, conversations, keys, keysBefore, usage, vendorIds, responses },
    ...openCounters(settings, clock),
    peers: noPeers,
    canStore: async () => store.fault === undefined,
    openBudgets: (prices) => openBudgets(settings, { ...parts, usage, prices }),
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
