import { joinNodes, type NodeLook } from "../adapters/postgres/nodes/node.ts";
import { createNodePeers } from "../adapters/postgres/nodes/node-peers.ts";
import { channelOf } from "../adapters/postgres/nodes/redis-channel.ts";
import { createPostgresConversations } from "../adapters/postgres/postgres-conversations.ts";
import { createPostgresKeys } from "../adapters/postgres/postgres-keys.ts";
import { createPostgresPurses } from "../adapters/postgres/postgres-purses.ts";
import { createPostgresRateCounter } from "../adapters/postgres/postgres-rate-counter.ts";
import { createPostgresResponses } from "../adapters/postgres/postgres-responses.ts";
import { createPostgresStore } from "../adapters/postgres/postgres-store.ts";
import { createPostgresTickets } from "../adapters/postgres/postgres-tickets.ts";
import { createPostgresTurnLogs } from "../adapters/postgres/postgres-turn-logs.ts";
import { createPostgresUsage, endLeftUsage } from "../adapters/postgres/postgres-usage.ts";
import { createPostgresVendorIds } from "../adapters/postgres/postgres-vendor-ids.ts";
import { retireRows } from "../adapters/postgres/retire-rows.ts";
import { openServedTime } from "../adapters/postgres/served-time.ts";
import { createRateCounter } from "../adapters/rate-limiter/rate-counter.ts";
import { createSocketPlaces } from "../adapters/ws/socket-places.ts";
import { nodeNameOf } from "./node-name.ts";
import { openNodeBudgets } from "./open-budgets.ts";
import type { Settings } from "./settings.ts";
import type { StoreParts, Stores } from "./stores.ts";

const msPerDay = 24 * 3_600_000;

/** Opens the stores of a node in a PostgreSQL database, which it may share with others. Rejects with one clear line if the database cannot be used. */
export async function openPostgres(url: string, settings: Settings, parts: StoreParts): Promise<Stores> {
  const { clock, observer, onWarning = () => undefined } = parts;
  const { logRetentionMs: retentionMs, answerRetentionMs, logBytes: maxBytes, redisUrl } = settings;
  // A store left open after a failure would keep the process from ending.
  await using opening = new AsyncDisposableStack();
  const name = nodeNameOf(settings);
  const store = opening.use(
    await createPostgresStore({
      ...{ url, clock, observer, name, onWarning },
      poolConnections: settings.databaseConnections,
      processes: settings.workers,
    }),
  );
  const served = await openServedTime(store, clock);
  const retention = { store, clock, served, retentionMs, answerRetentionMs };
  const purses = createPostgresPurses(store);
  const firstUsageDay = async () => Math.floor((await purses.wallTimeMs()) / msPerDay) - settings.usageDays;
  opening.use(retireRows({ ...retention, firstUsageDay }));
  const keys = createPostgresKeys({ store, clock });
  await keys.start();
  const keysBefore = await keys.list();
  const usage = createPostgresUsage({ store });
  const logs = createPostgresTurnLogs({ ...retention, maxBytes });
  const onRevoked = () => void keys.lookForRevoked().catch(store.report);
  const redis = redisUrl === undefined ? {} : { redis: { url: redisUrl, channel: await channelOf(store) } };
  const peers = opening.use(
    createNodePeers({ url, ...redis, clock, observer, store, logs, told: logs.told, onRevoked }),
  );
  keys.onRevokedHere(peers.revoked);
  const onDeath = () => {
    endLeftUsage(store).catch(store.report);
    peers.left();
  };
  const onLook = ({ hasCancels, revocations }: NodeLook) => {
    if (hasCancels) peers.lookForCancels();
    keys.lookForRevoked(revocations).catch(store.report);
  };
  const { hearsRedis } = peers;
  const nodes = opening.use(await joinNodes({ url, clock, store, onDeath, onLook, hearsRedis }));
  const shared = { purses, closing: store.closing, onFault: store.report };
  const inMemory = () => createRateCounter({ clock, windowMs: 60_000 });
  const minutes = createPostgresRateCounter({
    store,
    windowMs: 60_000,
    kind: "requests",
    beside: inMemory(),
  });
  const opened = opening.move();
  return {
    ...{ logs, keys, keysBefore, usage },
    conversations: createPostgresConversations({ store, clock }),
    vendorIds: createPostgresVendorIds({ store, served }),
    responses: createPostgresResponses({
      ...{ store, served },
      retentionMs: Math.max(retentionMs, answerRetentionMs),
    }),
    tickets: createPostgresTickets({ store, clock }),
    attempts: createPostgresRateCounter({ store, windowMs: 60_000, kind: "attempts", beside: inMemory() }),
    places: createSocketPlaces({
      maxInAll: settings.maxConnections,
      maxPerKey: settings.maxConnectionsPerKey,
    }),
    ...{ peers, nodes, shared },
    lost: store.lost,
    onCutOff: nodes.onCutOff,
    isCutOff: nodes.isCutOff,
    canStore: store.canStore,
    openBudgets: (prices) => openNodeBudgets(settings, { ...parts, usage, prices, shared, minutes }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
