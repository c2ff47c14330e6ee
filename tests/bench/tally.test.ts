import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTally } from "../../bench/client/tally.ts";
import { stampToken } from "../../bench/time-stamp.ts";

describe("a tally", () => {
  it("counts a chunk's tokens, and its lag by the oldest of them beyond the rhythm", () => {
    const tally = createTally();
    const data = Buffer.from(`x${stampToken(100)}${stampToken(150)}x`);
    const rest = tally.countChunk(data, { start: 0, end: data.length, nowMs: 230, rhythmMs: 100 });
    const { tokens, chunks, lag } = tally.take();
    assert.deepEqual(
      { rest, tokens, chunks, lag },
      {
        rest: data.length,
        tokens: 2,
        chunks: 1,
        lag: { count: 1, p50Ms: 30, p99Ms: 30 },
      },
    );
  });

  it("leaves a token that is not all there for the next read", () => {
    const tally = createTally();
    const data = Buffer.from(`${stampToken(1)}${stampToken(2)}`);
    const cut = data.subarray(0, -2);
    const rest = tally.countChunk(cut, { start: 0, end: cut.length, nowMs: 3, rhythmMs: 0 });
    assert.equal(rest, 5);
    tally.countChunk(data.subarray(rest), { start: 0, end: 5, nowMs: 3, rhythmMs: 0 });
    assert.equal(tally.take().tokens, 2);
    assert.equal(tally.take().tokens, 0);
  });
});
