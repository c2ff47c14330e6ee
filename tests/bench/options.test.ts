import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readOptions } from "../../bench/options.ts";
import { createPlan, upstreamsOf } from "../../bench/plan.ts";

const planFor = (...args: string[]) => createPlan(readOptions(args));

describe("the arguments of the benchmark", () => {
  it("set the number of rounds and the length of a window", () => {
    const { rounds, windowMs } = planFor("--rounds", "7", "--seconds", "0.5");
    assert.deepEqual({ rounds, windowMs }, { rounds: 7, windowMs: 500 });
  });

  it("ask for five rounds, and for three in a quick run", () => {
    assert.equal(planFor().rounds, 5);
    assert.equal(planFor("--quick").rounds, 3);
    assert.equal(planFor("--quick", "--before", "../old").rounds, 3);
  });

  it("compare two checkouts with and without TLS, and by memory", () => {
    const plan = planFor("--before", "../old");
    assert.deepEqual(
      upstreamsOf(plan, "troupe-before").map(({ isSecure }) => isSecure),
      [false, true],
    );
    assert.equal(plan.memoryStreams, 1_000);
    assert.equal(plan.limits, undefined);
  });

  it("are refused if they are unknown or out of range", () => {
    for (const args of [
      ["--rounds", "0"],
      ["--rounds", "1.5"],
      ["--seconds", "0"],
      ["--seconds", "fast"],
      ["--fast"],
    ])
      assert.throws(() => readOptions(args), args.join(" "));
  });
});

it("the full run measures further upstreams for chosen sides only", () => {
  assert.equal(upstreamsOf(planFor(), "troupe").length, 4);
  assert.equal(upstreamsOf(planFor(), "ai-sdk-ws").length, 1);
});
