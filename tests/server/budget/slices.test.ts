import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ledger } from "../../../src/server/budget/ledger.ts";
import { Slices } from "../../../src/server/budget/slices.ts";
import { createMemoryPurses } from "../../support/memory-purses.ts";
import { createTestClock } from "../../support/test-clock.ts";

const day = 20_000;
const cap = 100;

/** Two nodes that pay from one purse. */
function createNodes() {
  const clock = createTestClock();
  const purses = createMemoryPurses();
  const closing = new AbortController();
  const today = { day };
  const faults: unknown[] = [];

  function join(name: string) {
    const purse = { name: "purse", ledger: new Ledger(), limit: cap };
    const slices = new Slices({
      ...{ purses: purses.join(name), clock, closing: closing.signal },
      day: () => today.day,
      amountsOf: ({ inputTokens, outputTokens }) => [["purse", inputTokens + outputTokens]],
      onFault: (fault) => faults.push(fault),
    });
    return {
      ...{ purse, slices },
      /** Reserves an amount, or returns false. */
      take: async (amount: number) =>
        slices.whenCovered([{ purse, amount }], () => {
          if (purse.ledger.used + amount > purse.ledger.slice) return false;
          purse.ledger.reserve(amount);
          return true;
        }),
    };
  }

  return {
    ...{ clock, purses, today, faults, first: join("first"), second: join("second"), join },
    heldOf: (ofDay = day) => purses.heldOf(ofDay, "purse"),
    [Symbol.dispose]: () => closing.abort(),
  };
}

/** Lets time pass until the promise settles. */
async function after<Value>(
  clock: ReturnType<typeof createTestClock>,
  promise: Promise<Value>,
): Promise<Value> {
  let isSettled = false;
  void promise.finally(() => {
    isSettled = true;
  });
  for (let steps = 0; !isSettled && steps < 100; steps += 1) await clock.advance(100);
  return promise;
}

describe("slices of a shared purse", () => {
  it("cover simultaneous takes in their order, with one ask", async () => {
    using nodes = createNodes();
    const { first, purses } = nodes;
    let asks = 0;
    purses.onAsk = async () => {
      asks += 1;
    };
    assert.deepEqual(await Promise.all([60, 30, 20, 10].map(first.take)), [true, true, false, true]);
    assert.equal(asks, 1);
  });

  it("are asked again for takes that came during an ask", async () => {
    using nodes = createNodes();
    const { first, purses } = nodes;
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const { promise: asked, resolve: noteAsk } = Promise.withResolvers<void>();
    purses.onAsk = () => {
      noteAsk();
      return answered;
    };
    const early = first.take(10);
    await asked;
    const late = [first.take(20), first.take(90)];
    answer();
    assert.deepEqual(await Promise.all([early, ...late]), [true, true, false]);
  });

  it("are asked again for a take that others overtook, and then no other overtakes it", async () => {
    using nodes = createNodes();
    const { first, purses } = nodes;
    await first.take(30);
    first.purse.ledger.settle(30, 0);
    const taken: string[] = [];
    const take = (amount: number) => first.take(amount).then((isTaken) => taken.push(`${amount} ${isTaken}`));
    const { promise: askedTwice, resolve: takeLast } = Promise.withResolvers<unknown>();
    let asks = 0;
    purses.onAsk = async () => {
      asks += 1;
      // Its amount is there before the ask is answered.
      if (asks === 1) void take(20);
      // There would be room for it as well.
      if (asks === 2) takeLast(take(1));
    };
    await Promise.all([take(80), askedTwice]);
    assert.deepEqual(taken, ["20 true", "80 true", "1 false"]);
  });

  it("are taken from without an ask while they have room", async () => {
    using nodes = createNodes();
    const { first, purses } = nodes;
    await first.take(50);
    first.purse.ledger.settle(50, 10);
    purses.onAsk = () => assert.fail("an ask");
    assert.equal(
      first.slices.whenCovered([{ purse: first.purse, amount: 40 }], () => "at once"),
      "at once",
    );
  });

  it("are told again after a crash of the database that forgot the last ask", async () => {
    using nodes = createNodes();
    const { first, clock, purses, heldOf } = nodes;
    await first.take(50);
    await clock.advance(5_000);
    first.purse.ledger.settle(50, 30);
    const crash = purses.keep();
    await clock.advance(1_000);
    assert.equal(heldOf(), 30);
    crash();
    assert.equal(heldOf(), 50);
    await clock.advance(2_000);
    assert.equal(heldOf(), 30);
  });

  it("are not told for ever, and not released before their last figures are safe", async () => {
    using nodes = createNodes();
    const { first, clock, purses } = nodes;
    await first.take(50);
    first.purse.ledger.settle(50, 0);
    await clock.advance(1_000);
    assert.equal(first.slices.release("purse"), false);
    await clock.advance(2_000);
    assert.equal(first.slices.release("purse"), true);
    purses.onAsk = () => assert.fail("an ask");
    await clock.advance(5_000);
  });

  it("never exceed the purse together", async () => {
    using nodes = createNodes();
    const { first, second, clock } = nodes;
    const takes = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? first : second).take(5));
    const taken = (await after(clock, Promise.all(takes))).filter(Boolean);
    assert.equal(taken.length, 20);
    assert.equal(first.purse.ledger.used + second.purse.ledger.used, cap);
  });

  it("give back what is not used, which another node that hopes for it gets", async () => {
    using nodes = createNodes();
    const { first, second, clock } = nodes;
    await first.take(80);
    first.purse.ledger.settle(80, 10);
    // Another node knows of it with the next round.
    await clock.advance(1_000);
    assert.equal(nodes.heldOf(), 10);
    await first.take(80);
    first.purse.ledger.settle(80, 5);
    assert.equal(await after(clock, second.take(70)), true);
    assert.equal(nodes.heldOf(), 85);
  });

  it("are asked for a step ahead while a call runs", async () => {
    using nodes = createNodes();
    const { first, clock } = nodes;
    const next = [{ purse: first.purse, amount: 8 }];
    first.slices.spare(next, 1);
    await first.take(10);
    assert.equal(first.purse.ledger.slice, 18);
    first.slices.spare(next, -1);
    await clock.advance(1_000);
    assert.equal(first.purse.ledger.slice, 10);
  });

  it("refuse once nothing is left to hope for", async () => {
    using nodes = createNodes();
    const { first, second, clock } = nodes;
    await first.take(90);
    assert.equal(await after(clock, second.take(20)), false);
    first.purse.ledger.settle(90, 90);
    await clock.advance(2_000);
    await second.slices.refreshed([second.purse]);
    assert.deepEqual([second.purse.ledger.spentElsewhere, second.purse.ledger.heldElsewhere], [90, 90]);
  });

  it("of a node that is gone return without its calls, at the next ask or by themselves", async () => {
    using nodes = createNodes();
    const { first, second, clock, purses } = nodes;
    await second.take(90);
    purses.leave("second", [
      { api: "openai", keyId: "key", model: "model", inputTokens: 20, outputTokens: 10 },
    ]);
    assert.equal(await first.take(70), true);
    assert.equal(nodes.heldOf(), 100);
    purses.leave("first", []);
    const third = nodes.join("third");
    await clock.advance(5_000);
    assert.equal(nodes.heldOf(), 30);
    assert.equal(third.purse.ledger.used, 0);
  });

  it("start again on the next day, with the reservations of running calls", async () => {
    using nodes = createNodes();
    const { first, today } = nodes;
    await first.take(40);
    first.purse.ledger.settle(20, 20);
    today.day = day + 1;
    first.purse.ledger.renew();
    first.slices.renew();
    assert.equal(await first.take(80), true);
    assert.equal(nodes.heldOf(day + 1), 100);
  });

  it("are released with their final expense, and not before it is told", async () => {
    using nodes = createNodes();
    const { first, second, clock } = nodes;
    await first.take(40);
    assert.equal(first.slices.release("purse"), false);
    first.purse.ledger.settle(40, 30);
    assert.equal(first.slices.release("purse"), false);
    await clock.advance(61_000);
    assert.equal(first.slices.release("purse"), true);
    assert.equal(nodes.heldOf(), 30);
    assert.equal(await after(clock, second.take(71)), false);
    assert.equal(await second.take(70), true);
  });

  it("fail the takes that wait if the purses cannot be asked, and are told again later", async () => {
    using nodes = createNodes();
    const { first, purses, faults } = nodes;
    purses.onAsk = () => Promise.reject(new Error("away"));
    await assert.rejects(first.take(10), /away/);
    assert.equal(faults.length, 1);
    purses.onAsk = async () => undefined;
    assert.equal(await first.take(10), true);
  });
});
