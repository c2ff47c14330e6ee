import assert from "node:assert/strict";
import { test } from "node:test";
import type { Observer } from "../../src/ports/observer.ts";
import { listensToTurns, ObservedTurn } from "../../src/server/observed-turn.ts";
import { createNotedBudget } from "../chat/noted-budget.ts";
import { createTestClock } from "../support/test-clock.ts";

const nothing = () => undefined;
const facts = { requestId: "r", kind: "persona", lanes: 1, isRecovered: false } as const;
const observe = (observer: Observer) =>
  new ObservedTurn({ observer, facts, clock: createTestClock(), arrivedAtMs: 0 });

test("a turn is not observed if no method for turns or calls listens", () => {
  assert.equal(listensToTurns({}), false);
  assert.equal(listensToTurns({ refused: nothing, committed: nothing, faulted: nothing }), false);
  for (const name of ["turnStarted", "turnEnded", "laneFailed", "callStarted", "callEnded"] as const)
    assert.equal(listensToTurns({ [name]: nothing }), true, name);
});

test("the calls of a turn are observed only if a method for calls listens", () => {
  const budget = createNotedBudget();
  assert.equal(
    observe({ turnStarted: nothing, turnEnded: nothing, laneFailed: nothing }).payFrom(budget),
    budget,
  );
  for (const name of ["callStarted", "callEnded"] as const)
    assert.notEqual(observe({ [name]: nothing }).payFrom(budget), budget, name);
});
