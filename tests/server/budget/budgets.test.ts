import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryUsage } from "../../../src/adapters/memory/memory-usage.ts";
import { estimatedUsage } from "../../../src/ports/usage-store.ts";
import { createTurnBudget } from "../../../src/server/budget/budgets.ts";
import { createDayBudgets, type DayLimits } from "../../../src/server/budget/day-budgets.ts";
import { noPrices } from "../../support/no-prices.ts";
import { createTestClock } from "../../support/test-clock.ts";

const caller = { owner: "ada", keyId: "key-1", limits: {} };
const plan = { api: "openai", model: "m", inputTokens: 10, isBegun: false };

for (const [name, limits, budgetTokens] of [
  ["of the day", { tokens: 3_000 }, undefined],
  ["of the request", {}, 3_000],
] as const satisfies readonly [string, DayLimits, number | undefined][]) {
  test(`sixteen lanes at the cap ${name} stay within it, each with its part`, async () => {
    const clock = createTestClock();
    const usage = createMemoryUsage();
    const days = createDayBudgets({ clock, usage, limits, prices: noPrices });
    const expense = { caller, lanes: 16, ...(budgetTokens === undefined ? {} : { budgetTokens }) };
    using budget = createTurnBudget(expense, { clock, usage, days, stepTokens: 256 });
    const written = new Map<string, number>();
    const calls = new Map<string, ReturnType<typeof budget.open>>();
    for (let lane = 0; lane < 16; lane += 1) {
      try {
        calls.set(`lane-${lane}`, budget.open({ ...plan, lane: `lane-${lane}` }));
      } catch (refused) {
        assert.equal((refused as { code?: unknown }).code, "budget_exhausted");
      }
    }
    const running = new Set(calls.keys());
    while (running.size > 0) {
      for (const lane of running) {
        const count = (written.get(lane) ?? 0) + 4;
        written.set(lane, count);
        if (calls.get(lane)?.cover(count) === false) running.delete(lane);
      }
    }
    for (const [lane, call] of calls) call.record("budget", estimatedUsage(10, written.get(lane) ?? 0));
    const [sum] = await usage.sums("ada", days.day.current(), days.day.current());
    assert.equal(calls.size, budgetTokens === undefined ? 12 : 16);
    const total = Number(sum?.inputTokens) + Number(sum?.outputTokens);
    assert.ok(total <= 3_000 + 4 && total > 2_000, String(total));
  });
}

test("a reservation is recorded when it grows, and only then", () => {
  const clock = createTestClock();
  const usage = createMemoryUsage();
  const recorded: number[] = [];
  const noting = { ...usage, extend: (_id: string, _input: number, output: number) => recorded.push(output) };
  const days = createDayBudgets({ clock, usage, limits: {}, prices: noPrices });
  const expense = { caller, lanes: 1, budgetTokens: 3_000 };
  using budget = createTurnBudget(expense, { clock, usage: noting, days, stepTokens: 256 });
  const call = budget.open(plan);
  const seen = new Set([call.reserved]);
  for (let written = 1; written <= 1_000; written += 1) {
    call.cover(written);
    seen.add(call.reserved);
  }
  assert.deepEqual(recorded, [...seen].slice(1));
  assert.ok(recorded.length >= 3, String(recorded));
});

/** A budget of one request, and the sum that its caller has spent today. */
function openBudget(lanes: number, budgetTokens?: number) {
  const clock = createTestClock();
  const usage = createMemoryUsage();
  const days = createDayBudgets({ clock, usage, limits: {}, prices: noPrices });
  const expense = { caller, requestId: "r", lanes, ...(budgetTokens === undefined ? {} : { budgetTokens }) };
  const budget = createTurnBudget(expense, { clock, usage, days, stepTokens: 256 });
  return { budget, spent: () => days.purses(caller, plan)[0]?.ledger.spent };
}

test("a call that is resumed gives back the usage of the same call, not of its lane's other calls", () => {
  const { budget, spent } = openBudget(1);
  for (const [call, outputTokens] of [10, 100, 1_000].entries())
    budget
      .open({ ...plan, lane: "ada", call })
      .record("interrupted", { ...estimatedUsage(0, outputTokens), estimated: false });
  assert.equal(spent(), 1_110);
  const resumed = budget.open({ ...plan, lane: "ada", call: 1, isBegun: true });
  assert.equal(spent(), 1_010);
  resumed.record("completed", estimatedUsage(0, 200));
  assert.equal(spent(), 1_210);
  // A record of an earlier version has no number, and is of the first call.
  budget.open({ ...plan, lane: "ada", isBegun: true });
  assert.equal(spent(), 1_200);
});

test("a lane's second call leaves as much to the lanes that are still to come as its first", () => {
  const { budget } = openBudget(3, 300);
  const [first, second] = [0, 1].map((call) => budget.open({ ...plan, lane: "ada", call }));
  assert.deepEqual([first?.reserved, second?.reserved], [90, 56]);
  assert.deepEqual(
    ["bob", "eve"].map((lane) => budget.open({ ...plan, lane }).reserved),
    [57, 57],
  );
});
