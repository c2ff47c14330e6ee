import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ratioCell } from "../../bench/report/cells.ts";
import { medianOf, ratioOfRounds, summarize } from "../../bench/report/over-rounds.ts";

describe("a figure over rounds", () => {
  it("is the middle value of an odd number of rounds", () => {
    assert.deepEqual(summarize([30, 10, 20]), { median: 20, min: 10, max: 30, rounds: 3 });
  });

  it("is halfway between the two middle values of an even number", () => {
    assert.equal(medianOf([4, 1, 2, 100]), 3);
  });

  it("sorts by size and not as text", () => {
    assert.equal(medianOf([9, 10, 100]), 10);
  });

  it("leaves out rounds without the figure, or with a division by zero", () => {
    assert.deepEqual(summarize([undefined, 5, Number.NaN, Infinity]), {
      median: 5,
      min: 5,
      max: 5,
      rounds: 1,
    });
    assert.equal(summarize([undefined]), undefined);
  });
});

describe("a ratio over rounds", () => {
  it("is taken within each round, so a slow round does not move it", () => {
    const ratio = ratioOfRounds([12, 120, 12], [10, 100, 10]);
    assert.deepEqual(ratio, { median: 1.2, min: 1.2, max: 1.2, rounds: 3 });
  });

  it("leaves out a round in which one side has no figure", () => {
    assert.equal(ratioOfRounds([undefined, 3, 4], [1, undefined, 2])?.rounds, 1);
    assert.equal(ratioOfRounds([1, 2], []), undefined);
  });

  it("is printed with its range", () => {
    assert.equal(ratioCell({ median: 1.02, min: 0.971, max: 1.1, rounds: 5 }), "1.02 (0.97-1.10)");
    assert.equal(ratioCell({ median: 1.02, min: 1.02, max: 1.02, rounds: 1 }), "1.02");
    assert.equal(ratioCell(undefined), "");
  });
});
