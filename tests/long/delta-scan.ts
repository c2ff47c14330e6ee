import assert from "node:assert/strict";
import { it } from "node:test";
import { compareReadings } from "../adapters/openai/scan-agreement.ts";

/** `SCAN_STREAMS` and `SCAN_SEED` change the run. */
const streams = Number(process.env.SCAN_STREAMS ?? 100_000);
const seed = Number(process.env.SCAN_SEED ?? 1);

it(`the scan for text deltas agrees with parsing everything, ${streams} streams, seed ${seed}`, async () => {
  const { inFull, quickly } = compareReadings(streams, seed);
  console.log(`  ${streams} streams, 0 differences; ${quickly} JSON texts parsed instead of ${inFull}`);
  assert.ok(quickly < 0.8 * inFull);
});
