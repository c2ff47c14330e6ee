import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createBudgetDay, dayOf } from "../../../src/server/budget/day-budgets.ts";
import { createTestClock } from "../../support/test-clock.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A day on a clock whose wall time can be set. It starts a quarter of an hour before midnight. */
function setUp() {
  const clock = createTestClock();
  const midnightMs = (dayOf(clock.wallTimeMs()) + 1) * dayMs;
  let offMs = midnightMs - hourMs / 4 - clock.wallTimeMs();
  let renewals = 0;
  const day = createBudgetDay({ ...clock, wallTimeMs: () => clock.wallTimeMs() + offMs }, () => {
    renewals += 1;
  });
  const first = day.current();
  return {
    day,
    advance: clock.advance,
    set(byMs: number) {
      offMs += byMs;
    },
    /** Days since the first, and how often a new one started. */
    seen: () => [day.current() - first, renewals],
  };
}

describe("the day whose budget is spent", () => {
  it("starts at midnight UTC, once a day", async () => {
    const { day, advance, seen } = setUp();
    assert.equal(day.msToNext(), hourMs / 4);
    await advance(hourMs / 4 - 1);
    assert.deepEqual(seen(), [0, 0]);
    await advance(1);
    assert.deepEqual(seen(), [1, 1]);
    await advance(dayMs - 1);
    assert.deepEqual(seen(), [1, 1]);
    await advance(1);
    assert.deepEqual(seen(), [2, 2]);
    await advance(3 * dayMs);
    assert.deepEqual(seen(), [5, 3]);
  });

  it("starts once for a clock that is set back and forth sixty times", async () => {
    for (const jumpMs of [dayMs, hourMs, 3_650 * dayMs]) {
      const { advance, set, seen } = setUp();
      for (let count = 0; count < 60; count += 1) {
        set(count % 2 === 0 ? jumpMs : -jumpMs);
        await advance(1_000);
        seen();
      }
      assert.equal(seen()[1], 1, String(jumpMs));
    }
  });

  it("starts once for a clock that runs ahead day by day", async () => {
    const { advance, set, seen } = setUp();
    for (let count = 0; count < 60; count += 1) {
      set(dayMs);
      await advance(60_000);
      seen();
    }
    assert.equal(seen()[1], 1);
  });

  it("does not start when the clock is set back, but goes on with that clock after a day", async () => {
    const { advance, set, seen } = setUp();
    set(3_650 * dayMs);
    assert.deepEqual(seen(), [3_650, 1]);
    set(-3_650 * dayMs);
    await advance(dayMs - 1);
    assert.deepEqual(seen(), [3_650, 1]);
    await advance(1);
    assert.deepEqual(seen(), [1, 2]);
    await advance(dayMs);
    assert.deepEqual(seen(), [2, 3]);
  });

  it("gives a wait of no more than a day, with any clock", () => {
    const { day, set } = setUp();
    set(-10 * dayMs);
    assert.equal(day.msToNext(), dayMs);
    set(20 * dayMs);
    assert.equal(day.msToNext(), 1_000);
  });
});
