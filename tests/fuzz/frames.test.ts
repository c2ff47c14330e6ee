import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzzFrames } from "./fuzz-frames.ts";
import { startFuzzServer } from "./fuzz-server.ts";

describe("frames that no good client sends", () => {
  it("are refused one by one, without harm to others", async (test) => {
    await using server = await startFuzzServer();
    const seed = 20_261_122;
    const tally = await fuzzFrames(server, { seed, badFrames: 1_500, everyField: false });
    test.diagnostic(JSON.stringify({ seed, ...tally }));
    assert.ok(tally.accepted > 0, "some frames are right, so that the checks of answers are at work too");
  });
});
