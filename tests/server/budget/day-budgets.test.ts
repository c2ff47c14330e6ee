import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMemoryUsage } from "../../../src/adapters/memory/memory-usage.ts";
import type { Caller } from "../../../src/ports/caller.ts";
import {
  createBudgetDay,
  createDayBudgets,
  type DayLimits,
  dayOf,
} from "../../../src/server/budget/day-budgets.ts";
import { Reservation } from "../../../src/server/budget/ledger.ts";
import { noPrices } from "../../support/no-prices.ts";
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

describe("the check of a request", () => {
  const input = Number.MAX_SAFE_INTEGER;
  const free: Caller = { owner: "ada", keyId: "key-1", limits: {} };
  const group = { id: "everyone", name: "Everyone" };
  const daysWith = (limits: DayLimits) =>
    createDayBudgets({
      clock: createTestClock(),
      usage: createMemoryUsage(),
      limits,
      prices: noPrices,
    });

  it("passes any input where nothing is limited", () => {
    daysWith({}).check(free, input);
    daysWith({}).check({ ...free, groups: [{ ...group, limits: { requestsPerMinute: 1 } }] }, input);
  });

  it("refuses by each limit alone", () => {
    const ofGroup = { ...free, groups: [{ ...group, limits: { tokensPerDay: 10 } }] };
    const rows: readonly (readonly [DayLimits, Caller])[] = [
      [{ tokensPerKey: 10 }, free],
      [{ tokens: 10 }, free],
      [{ money: 0 }, free],
      [{}, { ...free, limits: { tokensPerDay: 10 } }],
      [{}, ofGroup],
    ];
    for (const [limits, caller] of rows)
      assert.throws(() => daysWith(limits).check(caller, input), { code: "larger_than_day_budget" });
  });

  it("counts the calls of a caller that gets its limit later in the day", () => {
    const days = daysWith({});
    days.check(free, 10);
    const plan = { api: "openai", model: "m", inputTokens: 10, isBegun: false };
    const call = new Reservation(days.purses(free, plan), plan, { stepTokens: 100, shareTokens: 100 });
    call.settle({ inputTokens: 10, outputTokens: 90, totalTokens: 100, estimated: false });
    const limited = { ...free, limits: { tokensPerDay: 100 } };
    assert.throws(() => days.check(limited, 10), { code: "day_budget_spent" });
  });

  it("counts a caller's calls although very many other callers come", () => {
    const days = daysWith({ tokensPerKey: 100 });
    const plan = { api: "openai", model: "m", inputTokens: 10, isBegun: false };
    const pay = (keyId: string, outputTokens: number) => {
      const purses = days.purses({ ...free, keyId }, plan);
      const call = new Reservation(purses, plan, { stepTokens: 16, shareTokens: 16 });
      call.settle({ inputTokens: 10, outputTokens, totalTokens: 10 + outputTokens, estimated: false });
    };
    pay("spent", 90);
    for (let one = 0; one < 250_000; one += 1) pay(`caller ${one}`, one % 5);
    assert.throws(() => pay("spent", 0), { code: "budget_exhausted" });
    // They may be counted as larger, and still have most of their budget.
    for (const keyId of ["caller 0", "new"]) pay(keyId, 16);
  });
});
