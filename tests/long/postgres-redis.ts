import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import type { NodeMessage } from "../../src/adapters/postgres/nodes/messages.ts";
import { openBus } from "../../src/adapters/postgres/nodes/open-bus.ts";
import { channelOf } from "../../src/adapters/postgres/nodes/redis-channel.ts";
import { createTestClock } from "../support/test-clock.ts";
import { type RedisProcess, startRedis, withRedis } from "./peers/redis-process.ts";
import { createFaultyProxy, type FaultyProxy } from "./postgres/faulty-proxy.ts";
import { emptyDatabase, openStore, runOn, sharedServer, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { spyOnMessages } from "./postgres/spy-on-messages.ts";

const channel = "nodes";
const password = "s3cret/+%@";

/** Publishes any payload in a Redis. */
class Publisher extends Redis implements AsyncDisposable {
  async [Symbol.asyncDispose]() {
    this.disconnect();
  }
}

/** Nodes of one database, each with the URL of its Redis, and a spy on both ways. */
async function openNodes(redisUrls: readonly (string | undefined)[], spiedUrl: string) {
  await using opening = new AsyncDisposableStack();
  const clock = createTestClock();
  const databaseUrl = await emptyDatabase();
  const spy = opening.use(await spyOnMessages(databaseUrl, spiedUrl));
  const all = redisUrls.map((url, place) => {
    const heard: NodeMessage[] = [];
    const changes: (string | undefined)[] = [];
    const bus = opening.use(
      openBus({
        ...{ url: databaseUrl, clock, incarnation: place + 1, random: () => 0 },
        ...(url === undefined ? {} : { redis: { url, channel } }),
        onMessage: (message) => message.type === "probe" || heard.push(message),
        onRedis: (cause) => changes.push(cause?.message),
      }),
    );
    return { bus, heard, changes };
  });
  const [first, second] = all;
  assert.ok(first && second);
  const opened = opening.move();

  async function until(isSo: () => boolean): Promise<void> {
    for (let tries = 0; !isSo(); tries += 1) {
      assert.ok(tries < 3_000, "it does not come about");
      await clock.advance(100);
      await pause(5);
    }
  }
  /** Sends messages both ways until all arrive by that way only. */
  async function untilAllBy(way: "notify" | "redis"): Promise<void> {
    const other = way === "notify" ? "redis" : "notify";
    for (let tries = 0; ; tries += 1) {
      assert.ok(tries < 200, `messages do not go by ${way}`);
      const before = spy.counts("left");
      for (const { bus, heard } of all) {
        heard.length = 0;
        bus.send({ type: "left" });
      }
      await clock.advance(500);
      for (let waits = 0; waits < 15 && all.some(({ heard }) => heard.length < all.length - 1); waits += 1)
        await pause(5);
      const now = spy.counts("left");
      const isWhole = all.every(({ heard }) => heard.length === all.length - 1);
      if (isWhole && now[other] === before[other] && now[way] === before[way] + all.length) return;
    }
  }
  return {
    all,
    first,
    second,
    databaseUrl,
    until,
    untilAllBy,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

describe("nodes with Redis", { skip: withPostgres.skip || withRedis.skip }, () => {
  let redis: RedisProcess;
  before(async () => {
    redis = await startRedis({ password });
  });
  after(async () => {
    await redis[Symbol.asyncDispose]();
    await stopShared();
  });

  it("tell each other through Redis alone once all hear it", async () => {
    await using nodes = await openNodes([redis.url, redis.url, redis.url], redis.url);
    await nodes.untilAllBy("redis");
    await nodes.until(() =>
      [1, 2, 3].every((incarnation) => nodes.first.bus.hearsRedis(incarnation) === true),
    );
    assert.equal(nodes.first.bus.hearsRedis(4), false);
  });

  const cuts: Record<string, (proxy: FaultyProxy) => unknown> = {
    "is cut off from Redis": (proxy) => {
      proxy.freeze();
      proxy.cut();
    },
    "no longer hears Redis, which still hears it": (proxy) => proxy.swallow(),
    "gets no answer of Redis, with all connections open": (proxy) => proxy.freeze(),
  };
  for (const [fault, cut] of Object.entries(cuts))
    it(`tell each other by NOTIFY while one ${fault}, and through Redis again after it`, async () => {
      await using proxy = await createFaultyProxy(redis.url);
      await using nodes = await openNodes([redis.url, proxy.url], redis.url);
      await nodes.untilAllBy("redis");
      cut(proxy);
      // One that is only deaf finds a new connection, so it must stay without.
      proxy.freeze();
      await nodes.untilAllBy("notify");
      assert.equal(nodes.first.bus.hearsRedis(2), false);
      proxy.thaw();
      await nodes.untilAllBy("redis");
      await nodes.until(() => nodes.second.changes.length % 2 === 0);
      assert.ok(typeof nodes.second.changes[0] === "string");
      // Each change is told once.
      for (const [place, cause] of nodes.second.changes.entries())
        assert.equal(cause === undefined, place % 2 === 1);
    });

  it("tell each other by NOTIFY if one has no Redis, or another one", async () => {
    await using other = await startRedis();
    await using nodes = await openNodes([redis.url, other.url], redis.url);
    await nodes.until(() => nodes.all.every(({ bus }) => bus.hearsRedis(1) && bus.hearsRedis(2)));
    await nodes.untilAllBy("notify");
    await using mixed = await openNodes([redis.url, undefined], redis.url);
    await mixed.untilAllBy("notify");
  });

  it("say once why Redis cannot be used, without its password, and use it when it is there", async () => {
    const wrong = redis.url.replace(encodeURIComponent(password), "other-secret");
    await using late = await startRedis({ password });
    await late.kill();
    await using nodes = await openNodes([wrong, late.url], redis.url);
    await nodes.until(() => nodes.all.every(({ changes }) => changes.length > 0));
    await nodes.untilAllBy("notify");
    const [refused, absent] = nodes.all.map(({ changes }) => changes.join());
    assert.match(refused ?? "", /^WRONGPASS/);
    assert.match(absent ?? "", /^connect ECONNREFUSED/);
    assert.doesNotMatch(`${refused} ${absent}`, /secret|s3cret/);
    await late.start();
    await nodes.until(() => nodes.second.changes.length > 1);
    assert.equal(nodes.second.changes[1], undefined);
    assert.equal(nodes.first.changes.length, 1);
  });

  it("hear nothing of the nodes of a copy, which have their numbers and their channel", async () => {
    await using nodes = await openNodes([redis.url, redis.url], redis.url);
    await nodes.untilAllBy("redis");
    await using copies = await openNodes([redis.url, redis.url, redis.url], redis.url);
    await copies.untilAllBy("redis");
    for (const { heard } of nodes.all) heard.length = 0;
    for (const { bus } of copies.all) {
      bus.send({ type: "cancel", turn: 1, personaId: null, call: 1 });
      bus.send({ type: "rows", rows: [[1, 1, 1, 1, "[]"]] }, 1);
    }
    await copies.until(() => copies.all.every(({ heard }) => heard.some(({ type }) => type === "cancel")));
    assert.deepEqual(
      nodes.all.map(({ heard }) => heard),
      [[], []],
    );
    await nodes.untilAllBy("redis");
  });

  it("hear the nodes of the release before, whose messages have no key", async () => {
    await using nodes = await openNodes([redis.url, redis.url], redis.url);
    await using client = new Publisher(redis.url);
    const say = (from: number, message: object) => client.publish(channel, JSON.stringify({ from, message }));
    const heardLast = () => nodes.first.heard.at(-1);
    await nodes.untilAllBy("redis");
    nodes.first.heard.length = 0;
    await say(9, { type: "revoked", keyId: "unknown" });
    await say(2, { type: "revoked", keyId: "not of this node" });
    const probe = JSON.stringify({ from: 9, message: { type: "probe", hearsRedis: true } });
    await runOn(nodes.databaseUrl, "SELECT pg_notify('troupe', $1)", [probe]);
    await nodes.until(() => nodes.first.bus.hearsRedis(9) === true);
    await say(9, { type: "revoked", keyId: "known" });
    await nodes.until(() => heardLast() !== undefined);
    assert.deepEqual(nodes.first.heard, [{ type: "revoked", keyId: "known" }]);
  });

  it("have a channel for each database, also for its copy", async () => {
    const url = await emptyDatabase();
    const places: string[] = [];
    for (let count = 0; count < 2; count += 1) {
      await using opened = await openStore({ url });
      places.push(await channelOf(opened.store));
    }
    const copy = await (await sharedServer()).createDatabase(url);
    for (const other of [copy, await emptyDatabase()]) {
      await using opened = await openStore({ url: other });
      places.push(await channelOf(opened.store));
    }
    assert.equal(places[0], places[1]);
    assert.equal(new Set(places).size, 3);
  });
});
