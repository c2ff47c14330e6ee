import { after, before, describe } from "node:test";
import { Redis } from "ioredis";
import { openNotifyBus } from "../../src/adapters/postgres/nodes/notify-bus.ts";
import { openRedisBus } from "../../src/adapters/postgres/nodes/redis-bus.ts";
import { type RedisProcess, startRedis, withRedis } from "./peers/redis-process.ts";
import { describeBus } from "./postgres/bus-contract.ts";
import { emptyDatabase, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

describe("messages between nodes", { skip: withPostgres.skip || withRedis.skip }, () => {
  let databaseUrl = "";
  let redis: RedisProcess;
  let client: Redis;
  before(async () => {
    [databaseUrl, redis] = await Promise.all([emptyDatabase(), startRedis({ password: "s3cret/+" })]);
    client = new Redis(redis.url);
  });
  after(async () => {
    client.disconnect();
    await redis[Symbol.asyncDispose]();
    await stopShared();
  });

  describeBus("NOTIFY", {
    url: () => databaseUrl,
    open: (url, options) => openNotifyBus({ ...options, url }),
    publish: (payload) => runOn(databaseUrl, "SELECT pg_notify('troupe', $1)", [payload]),
    maxBytes: 7_900,
    carriesRows: false,
  });

  describeBus("Redis", {
    url: () => redis.url,
    open: (url, options) =>
      openRedisBus({ ...options, url, channel: "nodes", random: () => 0, onChange: () => undefined }),
    publish: (payload) => client.publish("nodes", payload),
    maxBytes: 131_072,
    carriesRows: true,
  });
});
