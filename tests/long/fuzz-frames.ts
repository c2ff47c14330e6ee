import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { fuzzFrames } from "../fuzz/fuzz-frames.ts";
import { startFuzzServer } from "../fuzz/fuzz-server.ts";

/** `FUZZ_SEED` repeats a run; `FUZZ_COUNT` sets how many bad frames are sent. */
const seed = Number(process.env.FUZZ_SEED ?? 1);
const badFrames = Number(process.env.FUZZ_COUNT ?? 20_000);

describe(`${badFrames} bad frames, seed ${seed}`, () => {
  for (const store of ["memory", "sqlite"] as const) {
    it(`are refused one by one by a server that keeps its data in ${store}`, async () => {
      await using cleanUp = new AsyncDisposableStack();
      const data = await mkdtemp(path.join(tmpdir(), "troupe-fuzz-"));
      cleanUp.defer(() => rm(data, { recursive: true }));
      const server = cleanUp.use(await startFuzzServer({ store, data }));
      const tally = await fuzzFrames(server, { seed, badFrames, everyField: true });
      console.log(
        `${store}, seed ${seed}: ${tally.refused} frames refused, ${tally.closed} ended their connection, ${tally.accepted} were right`,
      );
      assert.ok(tally.refused + tally.closed >= badFrames);
    });
  }
});
