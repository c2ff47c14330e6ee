import assert from "node:assert/strict";
import { test } from "node:test";
import { RateLimit } from "../../../src/adapters/ws/incoming-frames.ts";
import { createTestClock } from "../../support/test-clock.ts";

/** How many calls pass at once. */
function burstOf(limit: RateLimit): number {
  let count = 0;
  while (count < 1_000 && limit.letIn()) count += 1;
  return count;
}

test("a pause of any length saves up one burst", async () => {
  const clock = createTestClock();
  const limit = new RateLimit({ perSecond: 10, burst: 20 }, clock);
  assert.equal(burstOf(limit), 20);
  for (const pauseMs of [2_000, 60_000, 24 * 3_600_000]) {
    await clock.advance(pauseMs);
    assert.equal(burstOf(limit), 20, `after ${pauseMs} ms`);
  }
  await clock.advance(500);
  assert.equal(burstOf(limit), 5);
  await clock.advance(99);
  assert.equal(burstOf(limit), 0);
});

test("a socket that was idle since it opened has one burst", async () => {
  const clock = createTestClock();
  const limit = new RateLimit({ perSecond: 10, burst: 20 }, clock);
  await clock.advance(24 * 3_600_000);
  assert.equal(burstOf(limit), 20);
});
