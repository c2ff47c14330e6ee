import assert from "node:assert/strict";
import { it } from "node:test";
import { fuzzFrames } from "../fuzz/fuzz-frames.ts";
import { startFuzzServer } from "../fuzz/fuzz-server.ts";

/** `FUZZ_SEED` repeats a run, `FUZZ_COUNT` changes how many bad frames are sent. */
const seed = Number(process.env.FUZZ_SEED ?? 1);
const badFrames = Number(process.env.FUZZ_COUNT ?? 20_000);

it(`${badFrames} bad frames, seed ${seed}`, async () => {
  await using server = await startFuzzServer();
  const tally = await fuzzFrames(server, { seed, badFrames, everyField: true });
  console.log(
    `${tally.refused} frames refused, ${tally.closed} ended their connection, ${tally.accepted} were right; seed ${seed}`,
  );
  assert.ok(tally.refused + tally.closed >= badFrames);
});
