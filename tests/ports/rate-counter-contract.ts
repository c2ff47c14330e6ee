import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RateCounter } from "../../src/ports/rate-counter.ts";

/** A new counter of this window, and a way into the next window. */
export interface CounterUnderTest extends AsyncDisposable {
  readonly counter: RateCounter;
  readonly windowMs: number;
  nextWindow(): Promise<unknown>;
}

/** The contract of `RateCounter`, for every adapter to run. */
export function describeRateCounter(name: string, create: () => Promise<CounterUnderTest>): void {
  describe(`${name} as a counter`, () => {
    it("counts each name by itself, and tells when the window ends", async () => {
      await using under = await create();
      const { counter, windowMs } = under;
      const counts: number[] = [];
      for (const counted of ["a", "b", "a", "a\u0000", "a"]) {
        const { count, windowEndsInMs } = await counter.add(counted);
        counts.push(count);
        assert.ok(windowEndsInMs > 0 && windowEndsInMs <= windowMs, `${windowEndsInMs} ms`);
      }
      assert.deepEqual(counts, [1, 1, 2, 1, 3]);
    });

    it("gives every one of simultaneous calls another count", async () => {
      await using under = await create();
      const counted = await Promise.all(Array.from({ length: 30 }, () => under.counter.add("a")));
      assert.deepEqual(
        counted.map(({ count }) => count).sort((one, other) => one - other),
        Array.from({ length: 30 }, (_, index) => index + 1),
      );
    });

    it("starts again in the next window", async () => {
      await using under = await create();
      for (const expected of [1, 2]) assert.equal((await under.counter.add("a")).count, expected);
      await under.nextWindow();
      assert.equal((await under.counter.add("a")).count, 1);
    });
  });
}
