import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { orderOfRound } from "../../bench/rounds/round-order.ts";

describe("the order of a round", () => {
  it("starts one side further in each round", () => {
    const orders = [0, 1, 2, 3].map((round) => orderOfRound(["a", "b", "c"], round).join(""));
    assert.deepEqual(orders, ["abc", "bca", "cab", "abc"]);
  });

  it("alternates two sides", () => {
    assert.deepEqual(orderOfRound(["before", "after"], 1), ["after", "before"]);
  });

  it("is empty without sides", () => {
    assert.deepEqual(orderOfRound([], 2), []);
  });
});
