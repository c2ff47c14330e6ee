import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ledger, type Purse, Reservation } from "../../../src/server/budget/ledger.ts";

const plan = { isBegun: false };
const options = { stepTokens: 256, shareTokens: Infinity };

function purse(limit: number, price = { input: 1, output: 1 }): Purse {
  return { ledger: new Ledger(), limit, price, refusal: (isSpent) => ({ retryable: isSpent }) };
}
const usage = (inputTokens: number, outputTokens: number) => ({
  ...{ inputTokens, outputTokens },
  totalTokens: inputTokens + outputTokens,
  estimated: false,
});
const exhausted = { code: "budget_exhausted" };

describe("reserving a call", () => {
  it("takes its input and a step of output from every purse, and settles with the usage", () => {
    const [tokens, money] = [purse(10_000), purse(1_000_000, { input: 2, output: 10 })];
    const call = new Reservation([tokens, money], { ...plan, inputTokens: 100 }, options);
    assert.deepEqual([tokens.ledger.reserved, money.ledger.reserved], [356, 200 + 2_560]);
    call.settle(usage(90, 300));
    call.settle(usage(90, 300));
    assert.deepEqual([tokens.ledger.reserved, tokens.ledger.spent], [0, 390]);
    assert.deepEqual([money.ledger.reserved, money.ledger.spent], [0, 180 + 3_000]);
  });

  it("takes from none if one refuses, and reports whether only running calls are in the way", () => {
    const [rich, poor] = [purse(10_000), purse(400)];
    const first = new Reservation([rich, poor], { ...plan, inputTokens: 100 }, options);
    for (const isSpent of [false, true]) {
      assert.throws(() => new Reservation([rich, poor], { ...plan, inputTokens: 100 }, options), {
        ...exhausted,
        retryable: isSpent,
      });
      if (!isSpent) first.settle(usage(100, 290));
    }
    assert.deepEqual([rich.ledger.reserved, rich.ledger.spent], [0, 390]);
  });

  it("never sends a limit beyond the rest of the budget, and none that the request does not need", () => {
    const limitOf = (left: number, maxOutputTokens?: number) =>
      new Reservation(
        [purse(left)],
        { ...plan, inputTokens: 10, ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }) },
        options,
      ).maxOutputTokens;
    assert.deepEqual(
      [
        limitOf(110),
        limitOf(110, 50),
        limitOf(110, 100),
        limitOf(110, 500),
        limitOf(1_000_000),
        limitOf(Infinity),
      ],
      [100, undefined, undefined, 100, undefined, undefined],
    );
  });

  it("starts nothing that could not write the minimum that a vendor takes as a limit", () => {
    assert.throws(() => new Reservation([purse(25)], { ...plan, inputTokens: 10 }, options), exhausted);
    assert.equal(new Reservation([purse(26)], { ...plan, inputTokens: 10 }, options).maxOutputTokens, 16);
    assert.equal(
      new Reservation([purse(15)], { ...plan, inputTokens: 10, maxOutputTokens: 5 }, options).reserved,
      5,
    );
  });

  it("costs nothing if a model costs nothing", () => {
    const money = purse(100, { input: 0, output: 0 });
    const call = new Reservation([money], { ...plan, inputTokens: 1_000_000 }, options);
    assert.equal(call.cover(1_000_000), true);
    assert.equal(money.ledger.reserved, 0);
  });
});

describe("covering the output of a call", () => {
  it("takes more ahead of it, a step at a time", () => {
    const tokens = purse(10_000);
    const call = new Reservation([tokens], { ...plan, inputTokens: 0 }, options);
    const reserved = [100, 192, 193, 400, 2_000].map((written) => [
      call.cover(written),
      tokens.ledger.reserved,
    ]);
    assert.deepEqual(reserved, [
      [true, 256],
      [true, 256],
      [true, 449],
      [true, 656],
      [true, 2_256],
    ]);
  });

  it("lets the last one write all that is left, and no more", () => {
    const tokens = purse(300);
    const call = new Reservation([tokens], { ...plan, inputTokens: 0 }, options);
    assert.deepEqual(
      [250, 299, 300].map((written) => call.cover(written)),
      [true, true, false],
    );
    assert.equal(tokens.ledger.reserved, 300);
  });

  it("stops short of its reservation if others hold the rest, so that many simultaneous stops stay within the limit", () => {
    const tokens = purse(1_000);
    const calls = [0, 1, 2].map(() => new Reservation([tokens], { ...plan, inputTokens: 0 }, options));
    const written = calls.map((call) => {
      let count = 0;
      while (call.cover(count)) count += 20;
      return count;
    });
    assert.ok(tokens.ledger.reserved <= 1_000);
    assert.ok(written.reduce((sum, count) => sum + count, 0) <= 1_000, String(written));
  });

  it("goes on beyond the request's own limit if a count was too high and there is room", () => {
    const tokens = purse(10_000);
    const call = new Reservation([tokens], { ...plan, inputTokens: 0, maxOutputTokens: 100 }, options);
    assert.equal(tokens.ledger.reserved, 100);
    assert.equal(call.cover(99), true);
    assert.equal(tokens.ledger.reserved, 100);
    assert.equal(call.cover(130), true);
    assert.ok(tokens.ledger.reserved > 130);
  });
});
