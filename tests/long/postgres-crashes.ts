import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { createCrowd } from "../crash/crowd.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createFindings } from "../crash/findings.ts";
import { createRecordShelf } from "../crash/record-shelf.ts";
import { checkReplays } from "../crash/replay-check.ts";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { createServerProcess, troupeEnvironment } from "../crash/server-process.ts";
import { checkRequests } from "../crash/verdict.ts";
import { rowFaults } from "./postgres/check-rows.ts";
import { sharedServer, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { report } from "./record/report.ts";

/** As in `crash-recovery.ts`; the database restarts as often as the server is killed. */
const kills = Number(process.env.CRASH_KILLS ?? 8);
const streams = Number(process.env.CRASH_STREAMS ?? 20);
const seed = Number(process.env.CRASH_SEED ?? 1);
const patienceMs = 120_000;

describe("a server on PostgreSQL", withPostgres, () => {
  after(stopShared);

  it(`loses nothing in ${kills} kills and as many restarts of the database under ${streams} streams, seed ${seed}`, async () => {
    const random = createSeededRandom(seed);
    const findings = createFindings();
    const database = await sharedServer();
    const databaseUrl = await database.createDatabase();
    await using place = await createDataFolder();
    await using shelf = await createRecordShelf();
    await using upstream = await createCountingUpstream({ delayMs: () => random.whole(5, 60) });
    const { folder: data } = place;
    const environment = troupeEnvironment({ data, upstreamUrl: upstream.baseUrl });
    const server = createServerProcess({
      environment: { ...environment, LOG_LEVEL: "fatal", TROUPE_DATABASE_URL: databaseUrl },
    });
    server.start();
    await server.listening();
    const url = () => server.url ?? "";
    const crowd = createCrowd({
      // A turn of a killed process runs on for its followers until its successor is sure of the death.
      ...{ streams, random, findings, url, life: () => 1, onRead: shelf.put },
      outlastingShare: 0.5,
    });
    let inAnswer = 0;
    try {
      for (let count = 0; count < kills; count += 1) {
        await sleep(random.between(0, 2_000));
        await database.restart(random.chance(0.5) ? "fast" : "immediate");
        await sleep(random.between(0, 2_000));
        inAnswer += crowd.inAnswer;
        await server.kill();
        server.start();
        await server.listening();
      }
      await Promise.race([crowd.finish(), sleep(patienceMs, undefined, { ref: false })]);
      crowd.close();
      const records = [...shelf.records, ...crowd.unread];
      const endings = checkRequests(records, upstream, findings);
      await checkReplays(server.url ?? "", records, findings);
      assert.equal(await server.stop(), 0);
      assert.deepEqual(await rowFaults(databaseUrl), []);
      report({
        program: "postgres-crashes",
        settings: { CRASH_KILLS: kills, CRASH_STREAMS: streams, CRASH_SEED: seed },
        figures: { "requests in the middle of their answer at a kill": inAnswer, ...endings },
        findings,
      });
      assert.equal(findings.total, 0);
    } finally {
      crowd.close();
      await server.kill();
    }
  });
});
