import assert from "node:assert/strict";
import { test } from "node:test";
import { createRateCounter } from "../../../src/adapters/rate-limiter/rate-counter.ts";
import { describeRateCounter } from "../../ports/rate-counter-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";

describeRateCounter("rate-limiter-flexible", async () => {
  const clock = createTestClock();
  const windowMs = 60_000;
  const counter = createRateCounter({ clock, windowMs });
  const nextWindow = () => clock.advance(windowMs);
  return { ...{ counter, windowMs, nextWindow }, [Symbol.asyncDispose]: async () => undefined };
});

test("counts by name within windows of the clock's time", async () => {
  const clock = createTestClock();
  const counter = createRateCounter({ clock, windowMs: 60_000 });
  const counts = await Promise.all(Array.from({ length: 5 }, () => counter.add("a")));
  assert.deepEqual(
    counts.map(({ count, windowEndsInMs }) => [count, windowEndsInMs]),
    [1, 2, 3, 4, 5].map((count) => [count, 59_000]),
  );
  assert.equal((await counter.add("b")).count, 1);
  await clock.advance(58_999);
  assert.deepEqual(await counter.add("a"), { count: 6, windowEndsInMs: 1 });
  await clock.advance(1);
  assert.deepEqual(await counter.add("a"), { count: 1, windowEndsInMs: 60_000 });
});
