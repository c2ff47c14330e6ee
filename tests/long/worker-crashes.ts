import assert from "node:assert/strict";
import { it } from "node:test";
import { runWorkerCrashes } from "../crash/run-worker-crashes.ts";
import { formatRun } from "../crash/verdict.ts";

/** `CRASH_KILLS` and `CRASH_STREAMS` make the run longer; `CRASH_SEED` repeats its random choices. */
const kills = Number(process.env.CRASH_KILLS ?? 20);
const streams = Number(process.env.CRASH_STREAMS ?? 50);
const seed = Number(process.env.CRASH_SEED ?? 1);

it(`${kills} kills of one of 2 workers under ${streams} streams, seed ${seed}`, async () => {
  const { figures, findings } = await runWorkerCrashes({
    kills,
    streams,
    seed,
    maxServingMs: 2_500,
    workers: 2,
  });
  console.log(formatRun(figures, findings));
  assert.ok(kills === 0 || Number(figures.interrupted) > 0);
  assert.equal(findings.total, 0);
  assert.ok(kills === 0 || (Number(figures.restarted) > 0 && Number(figures.continued) > 0));
});
