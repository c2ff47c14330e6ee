import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Watchdog } from "../../../src/adapters/upstream/answer-stream.ts";
import { createTestClock } from "../../support/test-clock.ts";

/** A watchdog with a first limit of 60 s and a limit of 300 s after that, or with other limits. */
function watching(firstMs = 60_000, nextMs = 300_000) {
  const clock = createTestClock();
  const expiredAtMs: number[] = [];
  const watchdog = new Watchdog(clock, Math.min(firstMs, nextMs), () =>
    expiredAtMs.push(clock.now() - 1_000),
  );
  watchdog.start(firstMs);
  return { clock, watchdog, expiredAtMs, progress: () => watchdog.progress(nextMs) };
}

describe("the watchdog", () => {
  it("expires once if nothing arrives within the first limit", async () => {
    const { clock, expiredAtMs } = watching();
    await clock.advance(59_999);
    assert.deepEqual(expiredAtMs, []);
    await clock.advance(1_000_000);
    assert.deepEqual(expiredAtMs, [60_000]);
    assert.equal(clock.sleeping, 0);
  });

  it("starts again with every progress, with the limit for silence", async () => {
    const { clock, progress, expiredAtMs } = watching();
    for (const stepMs of [59_000, 299_000, 299_000, 1]) {
      await clock.advance(stepMs);
      progress();
    }
    assert.deepEqual(expiredAtMs, []);
    await clock.advance(1_000_000);
    assert.deepEqual(expiredAtMs, [59_000 + 299_000 + 299_000 + 1 + 300_000]);
  });

  it("is exact if the limit for silence is the shorter one", async () => {
    const { clock, progress, expiredAtMs } = watching(60_000, 10_000);
    await clock.advance(55_000);
    progress();
    await clock.advance(100_000);
    assert.deepEqual(expiredAtMs, [65_000]);
  });

  it("counts no time while it rests", async () => {
    const { clock, watchdog, progress, expiredAtMs } = watching();
    progress();
    watchdog.rest();
    await clock.advance(3_600_000);
    assert.deepEqual(expiredAtMs, []);
    watchdog.arm();
    await clock.advance(299_999);
    assert.deepEqual(expiredAtMs, []);
    await clock.advance(60_001);
    assert.equal(expiredAtMs.length, 1);
  });

  it("keeps the remaining time during a rest, and wakes no later than the shortest limit after it", async () => {
    const { clock, watchdog, progress, expiredAtMs } = watching();
    progress();
    await clock.advance(250_000);
    watchdog.rest();
    await clock.advance(7_000);
    watchdog.arm();
    await clock.advance(49_000);
    assert.deepEqual(expiredAtMs, []);
    await clock.advance(61_000);
    assert.equal(expiredAtMs.length, 1);
  });

  it("rests and arms as often as it likes", async () => {
    const { clock, watchdog, expiredAtMs } = watching();
    watchdog.rest();
    watchdog.rest();
    await clock.advance(100_000);
    watchdog.arm();
    watchdog.arm();
    await clock.advance(30_000);
    watchdog.arm();
    await clock.advance(29_999);
    assert.deepEqual(expiredAtMs, []);
    await clock.advance(60_000);
    assert.equal(expiredAtMs.length, 1);
  });

  it("stops for good and leaves no timer", async () => {
    const { clock, watchdog, progress, expiredAtMs } = watching();
    await clock.advance(10);
    watchdog.stop();
    assert.equal(clock.sleeping, 0);
    progress();
    watchdog.arm();
    await clock.advance(1_000_000);
    assert.deepEqual(expiredAtMs, []);
  });

  it("holds one timer, however much progress there is", async () => {
    const { clock, progress } = watching();
    for (let count = 0; count < 1_000; count += 1) progress();
    await clock.advance(1);
    assert.equal(clock.sleeping, 1);
  });
});
