import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { adminKey, bearer } from "../support/key-system.ts";
import { startRedis, withRedis } from "./peers/redis-process.ts";
import { revokeElsewhere, startGatedNodes } from "./postgres/gated-nodes.ts";
import type { RedisFault } from "./postgres/node-faults.ts";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { runNodeFaults } from "./postgres/run-node-faults.ts";
import { spyOnMessages } from "./postgres/spy-on-messages.ts";
import { createUnsteadyRedis } from "./postgres/unsteady-redis.ts";
import { report } from "./record/report.ts";

/** The figures of a short run; a longer one sets its own. */
const count = Number(process.env.REDIS_FAULTS ?? 4);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);

describe("three nodes with Redis", { skip: withPostgres.skip || withRedis.skip }, () => {
  after(stopShared);

  it(`lose and interrupt nothing in ${count} faults of Redis under ${streams} streams, seed ${seed}`, async () => {
    await using redis = await startRedis({ password: "s3cret" });
    const random = createSeededRandom(seed);
    await using messages = await createUnsteadyRedis(redis.url, createSeededRandom(seed + 1));
    const unsteady = "messages of Redis that get lost, come twice or late";
    // A short run does not come to the last one.
    const kinds: readonly RedisFault[] = [
      ...(["freeze of Redis", "kill of Redis", "flush of Redis", unsteady] as const),
      "freeze of Redis for 30 s",
    ];
    const faults = Array.from(
      { length: count },
      (_, place) => kinds[place] ?? random.pick<RedisFault>(["kill of Redis", ...kinds]),
    );
    const options = { streams, seed, patienceMs: 60_000, redis, messages };
    const run = await runNodeFaults({ plan: [[{ faults }]], ...options });
    const played = kinds.map((kind) => [kind, faults.filter((fault) => fault === kind).length] as const);
    const { lost, doubled, late } = messages.counts;
    report({
      program: "redis-faults",
      settings: { REDIS_FAULTS: count, CRASH_STREAMS: streams, CRASH_SEED: seed },
      figures: {
        ...Object.fromEntries(played),
        "messages of Redis that got lost": lost,
        "messages of Redis that came twice": doubled,
        "messages of Redis that came late": late,
        "requests in the middle of their answer at a fault": run.inAnswer,
        ...run.endings,
        ...run.judged,
        ...run.invariants,
      },
      findings: run.findings,
    });
    const { interrupted, restarts, otherEnds } = run.endings;
    assert.deepEqual([run.findings.total, run.unread, run.inRows], [0, 0, []]);
    assert.deepEqual([interrupted, restarts, otherEnds], [0, 0, 0]);
    assert.ok(run.inAnswer > 0 && lost > 0 && doubled > 0 && late > 0);
  });

  it("revoke a key through it, and tell the operator once when it goes and once when it comes back", async () => {
    await using redis = await startRedis({ password: "s3cret" });
    const lines: string[] = [];
    const note = (_fields: object, line: string) => void lines.push(line);
    const logger = { debug: () => undefined, info: note, warn: note, error: note };
    await using system = await startGatedNodes({ adminKey, redisUrl: redis.url, logger });
    await using spy = await spyOnMessages(system.databaseUrl, redis.url);
    /** Each node has to know it of both. */
    async function untilBoth(hear: boolean): Promise<void> {
      for (const { httpUrl } of [system.first, system.second, system.first])
        for (let isSo = false; !isSo; await sleep(50)) {
          const answer = await fetch(`${httpUrl}/api/admin/nodes`, bearer(adminKey));
          const { nodes } = (await answer.json()) as { nodes: { hears_redis: boolean }[] };
          isSo = nodes.length === 2 && nodes.every(({ hears_redis }) => hears_redis === hear);
        }
    }
    await untilBoth(true);
    // A node sends through Redis as soon as it has heard a probe of each other node there, which may be a moment later.
    for (let sent = 1, isByRedis = false; !isByRedis; sent += 1) {
      const client = await revokeElsewhere(system);
      await client.closed;
      const counts = () => spy.counts("revoked");
      while (counts().notify + counts().redis < sent) await sleep(10);
      isByRedis = counts().redis === 1;
      assert.equal(counts().notify + counts().redis, sent);
      assert.ok(sent < 20, "revocations do not go through Redis");
    }
    await redis.kill();
    await untilBoth(false);
    await redis.start();
    await untilBoth(true);
    const told = lines.filter((line) => line.includes("Redis"));
    const gone = /^Redis cannot be used, so servers tell each other through PostgreSQL \(.+\)$/;
    assert.equal(told.filter((line) => gone.test(line)).length, 2);
    assert.equal(told.filter((line) => line === "Redis works again").length, 2);
    assert.equal(told.length, 4);
    assert.ok(!lines.some((line) => line.includes("s3cret")));
  });
});
