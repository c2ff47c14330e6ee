import assert from "node:assert/strict";
import { it } from "node:test";
import { compareReadings, formats } from "../adapters/upstream/scan-agreement.ts";

/** `SCAN_STREAMS` and `SCAN_SEED` change the run. The streams are shared among the formats. */
const streams = Number(process.env.SCAN_STREAMS ?? 100_000);
const seed = Number(process.env.SCAN_SEED ?? 1);
const each = Math.ceil(streams / formats.length);

for (const format of formats)
  it(`the scan for text deltas agrees with parsing everything, ${format}, ${each} streams, seed ${seed}`, async () => {
    const { inFull, quickly } = compareReadings(format, each, seed);
    console.log(
      `  ${format}: ${each} streams, 0 differences; ${quickly} JSON texts parsed instead of ${inFull}`,
    );
    assert.ok(quickly < 0.8 * inFull);
  });
