import { createHub } from "../../../src/adapters/cluster/primary/hub.ts";
import { type Channel, createChannel, type Line } from "../../../src/adapters/cluster/rpc/channel.ts";
import { createMemoryTickets } from "../../../src/adapters/memory/memory-tickets.ts";
import { createRateCounter } from "../../../src/adapters/rate-limiter/rate-counter.ts";
import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import { createSqliteKeys } from "../../../src/adapters/sqlite/sqlite-keys.ts";
import { createSqliteResponses } from "../../../src/adapters/sqlite/sqlite-responses.ts";
import { openServedTime } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../../../src/adapters/sqlite/sqlite-turn-logs.ts";
import { createSqliteUsage } from "../../../src/adapters/sqlite/sqlite-usage.ts";
import { createSqliteVendorIds } from "../../../src/adapters/sqlite/sqlite-vendor-ids.ts";
import { createSocketPlaces } from "../../../src/adapters/ws/socket-places.ts";
import { openBudgets } from "../../../src/compose/open-budgets.ts";
import { openPrices } from "../../../src/compose/open-prices.ts";
import { openRemoteStores } from "../../../src/compose/open-remote-stores.ts";
import { defaultSettings, type Settings } from "../../../src/compose/settings.ts";
import type { Stores } from "../../../src/compose/stores.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { Observer } from "../../../src/ports/observer.ts";
import { responseRetentionMs } from "../../ports/response-store-contract.ts";
import { openStore } from "../sqlite/open-store.ts";
import { createLinePair, type LinePair } from "./rpc/line-pair.ts";

export interface ClusterOptions {
  readonly clock?: Clock;
  readonly retentionMs?: number;
  readonly maxPerKey?: number;
  readonly maxPerOwner?: number;
  readonly maxInAll?: number;
  readonly maxBytesPerOwner?: number;
  readonly maxBytes?: number;
  /** Limits of a minute and of a day. */
  readonly budgets?: Partial<Settings>;
  /** Called with each fault, including failures of the storage. Default: a fault fails the test. */
  readonly onFault?: (fault: unknown) => void;
}

/** A process that runs turns. */
export interface ClusterMember {
  readonly line: LinePair;
  /** Its end of the line. */
  readonly channel: Channel;
  /** Opens the stores as this process sees them, with these settings. */
  open(settings?: Partial<Settings>): Promise<Stores>;
}

/** One process that keeps everything in a new database, and any number of other processes, all simulated in this one. */
export async function openCluster({
  clock,
  retentionMs = 60_000,
  maxPerKey = 1_000,
  maxPerOwner = 1_000,
  maxInAll = 1_000,
  maxBytesPerOwner = 1e9,
  maxBytes = 1e9,
  budgets: limits = {},
  onFault = (fault) => {
    throw fault;
  },
}: ClusterOptions = {}) {
  const observer: Observer = {
    faulted: ({ error }) => onFault(error),
    storageChanged: onFault,
    warned: onFault,
  };
  const opened = await openStore(observer);
  const { store } = opened;
  const time = clock ?? opened.clock;
  const served = await openServedTime(store, time);
  const logs = await createSqliteTurnLogs({
    store,
    clock: time,
    served,
    retentionMs,
    answerRetentionMs: retentionMs,
    maxBytes: 1_000_000,
  });
  const conversations = createSqliteConversations({ store, clock: time });
  const keys = createSqliteKeys({ store, clock: time });
  const usage = createSqliteUsage({ store, keepDays: 90 });
  const vendorIds = createSqliteVendorIds({ store, served });
  const responses = createSqliteResponses({ store, served, retentionMs: responseRetentionMs });
  const tickets = createMemoryTickets({ clock: time });
  const attempts = createRateCounter({ clock: time, windowMs: 60_000 });
  const settings = { ...defaultSettings(), ...limits };
  const models = { model: "gpt-4o-mini", isFree: false };
  const prices = await openPrices(settings, { models, configuration: undefined, clock: time });
  const budgets = await openBudgets(settings, { clock: time, usage, prices });
  const { maxConnections, maxConnectionsPerKey } = { ...defaultSettings(), ...limits };
  const places = createSocketPlaces({ maxInAll: maxConnections, maxPerKey: maxConnectionsPerKey });
  const stores = {
    logs,
    conversations,
    keys,
    usage,
    budgets,
    tickets,
    vendorIds,
    responses,
    attempts,
    places,
  };
  const hub = await createHub({
    ...{ ...stores, maxPerKey, maxPerOwner, maxInAll, maxBytesPerOwner, maxBytes },
    observer,
  });
  const lines: LinePair[] = [];

  return {
    store,
    /** The clock of the store and of the lines. */
    storeClock: opened.clock,
    logs,
    usage,
    join(): ClusterMember {
      const line = createLinePair();
      lines.push(line);
      const channelOver = (end: Line) => createChannel({ line: end, clock: opened.clock, gatherMs: 10 });
      hub.admit(channelOver(line.ends[0]));
      const channel = channelOver(line.ends[1]);
      return {
        line,
        channel,
        open: (settings = {}) =>
          openRemoteStores(channel)({ ...defaultSettings(), ...settings }, { clock: time, observer }),
      };
    },
    async [Symbol.asyncDispose]() {
      for (const line of lines) line.cut();
      // Calls that a test leaves open are ended before the store is closed.
      await new Promise((resolve) => setImmediate(resolve));
      conversations[Symbol.dispose]();
      logs[Symbol.dispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}
