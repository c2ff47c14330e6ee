import assert from "node:assert/strict";
import { it } from "node:test";
import { dieAtEveryCommit, dieInRecoveries, plainAsks } from "../crash/every-commit.ts";
import { runCrashes } from "../crash/run-crashes.ts";
import { report } from "./record/report.ts";

/**
 * `CRASH_KILLS` and `CRASH_STREAMS` make the run longer; `CRASH_SEED` repeats its random choices. The long run takes more
 * time than `npm run test:long` allows: `CRASH_KILLS=300 node --test tests/long/crash-recovery.ts`.
 */
const kills = Number(process.env.CRASH_KILLS ?? 20);
const streams = Number(process.env.CRASH_STREAMS ?? 50);
const seed = Number(process.env.CRASH_SEED ?? 1);

it(`${kills} kills under ${streams} streams, seed ${seed}`, async () => {
  const { figures, findings } = await runCrashes({ kills, streams, seed, maxServingMs: 2_500 });
  report({
    program: "crash-recovery",
    settings: { CRASH_KILLS: kills, CRASH_STREAMS: streams, CRASH_SEED: seed },
    figures,
    findings,
  });
  assert.ok(kills === 0 || Number(figures["followings cut in the middle"]) > 0);
  assert.equal(findings.total, 0);
  assert.ok(kills === 0 || (Number(figures.restarted) > 0 && Number(figures.continued) > 0));
});

for (const kind of Object.keys(plainAsks) as (keyof typeof plainAsks)[]) {
  it(`${kind}: the store dies in place of every commit, one after the other`, async () => {
    const deaths = await dieAtEveryCommit(kind);
    console.log(`  ${deaths} deaths`);
    assert.ok(deaths >= 8);
  });

  it(`${kind}: the store dies 20 times in a row while it recovers`, async () => {
    assert.ok((await dieInRecoveries(kind, 24)) >= 20);
  });
}
