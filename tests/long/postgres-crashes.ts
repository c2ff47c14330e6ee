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
import { runOn, sharedServer, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { report } from "./record/report.ts";

/** As in `crash-recovery.ts`; the database restarts as often as the server is killed. */
const kills = Number(process.env.CRASH_KILLS ?? 8);
const streams = Number(process.env.CRASH_STREAMS ?? 20);
const seed = Number(process.env.CRASH_SEED ?? 1);
const patienceMs = 120_000;

/** Each with its count of rows, which must be 0. */
const faultsOnDisk = {
  "turns that run": "SELECT count(*) FROM turns WHERE node IS NOT NULL",
  "turns without an answer": "SELECT count(*) FROM turns WHERE answer IS NULL",
  "numbers that overlap or are missing": `
    SELECT count(*) FROM (
      SELECT first_seq, max(next_seq) OVER (PARTITION BY turn ORDER BY first_seq, part ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS due,
        after_seq, part
      FROM (SELECT turn, first_seq, part, after_seq, first_seq + (
          SELECT count(*) FROM json_array_elements(steps::json) AS step WHERE step ->> 'type' <> 'checkpoint') AS next_seq
        FROM events JOIN turns ON number = turn) AS counted
    ) AS placed WHERE part = 0 AND first_seq <> coalesce(due, after_seq + 1)`,
  "ends that are not the last event": `
    SELECT count(*) FROM turns WHERE (
      SELECT sum((SELECT count(*) FROM json_array_elements(steps::json) AS step WHERE step ->> 'type' <> 'checkpoint'))
      FROM events WHERE turn = number) <> (answer::json ->> 'throughSeq')::int + 1 - after_seq`,
  "events of no turn": "SELECT count(*) FROM events WHERE turn NOT IN (SELECT number FROM turns)",
  "calls that are open": "SELECT count(*) FROM usage WHERE outcome IS NULL",
};

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
      ...{ streams, random, findings, url, life: () => server.life, onRead: shelf.put },
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
      for (const [fault, count] of Object.entries(faultsOnDisk)) {
        const [row] = await runOn(databaseUrl, count);
        assert.equal(Number(row?.count), 0, fault);
      }
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
