import assert from "node:assert/strict";
import { it } from "node:test";
import { runCrashes } from "../crash/run-crashes.ts";
import { formatRun } from "../crash/verdict.ts";

/**
 * `CRASH_KILLS` and `CRASH_STREAMS` make it longer, `CRASH_SEED` repeats its random choices. The long run takes more time than
 * `npm run test:long` gives: `CRASH_KILLS=300 node --test tests/long/crash-recovery.ts`.
 */
const kills = Number(process.env.CRASH_KILLS ?? 20);
const streams = Number(process.env.CRASH_STREAMS ?? 50);
const seed = Number(process.env.CRASH_SEED ?? 1);

it(`${kills} kills under ${streams} streams, seed ${seed}`, async () => {
  const { figures, findings } = await runCrashes({ kills, streams, seed, mostServingMs: 2_500 });
  console.log(formatRun(figures, findings));
  assert.ok(kills === 0 || Number(figures["followings cut in the middle"]) > 0);
  assert.equal(findings.total, 0);
});
