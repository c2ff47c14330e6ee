import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CircuitChange, Circuits } from "../../../src/adapters/upstream/circuits.ts";
import { type ErrorCode, TroupeError, type TroupeErrorOptions } from "../../../src/protocol/errors.ts";
import { createTestClock } from "../../support/test-clock.ts";

function openStage() {
  const clock = createTestClock();
  const changes: CircuitChange[] = [];
  const circuits = new Circuits({ clock, onChange: (change) => changes.push(change) });
  const fail = (code: ErrorCode, model = "m", options: TroupeErrorOptions = {}) =>
    circuits.begin(model).failed(new TroupeError(code, options));
  return {
    ...{ clock, changes, circuits, fail },
    /** Fails five times in four seconds. */
    async failFive(code: ErrorCode, model = "m") {
      for (let failures = 0; failures < 5; failures += 1) {
        if (failures > 0) await clock.advance(1_000);
        fail(code, model);
      }
    },
    /** The code and the time of the refusal of a call, if it is refused. */
    refusal(model = "m") {
      try {
        circuits.begin(model).left();
        return undefined;
      } catch (error) {
        assert.ok(error instanceof TroupeError);
        assert.deepEqual([error.safeToRepeat, error.isUnread, error.retryable], [false, true, true]);
        return [error.code, error.retryAfterMs];
      }
    },
  };
}

const perModel = ["upstream_overloaded", "upstream_error", "upstream_timeout", "upstream_stalled"] as const;
const perEndpoint = ["upstream_unreachable", "upstream_disconnected"] as const;
const counted = new Set<ErrorCode>([...perModel, ...perEndpoint]);
const uncounted: readonly ErrorCode[] = [
  ...(["upstream_auth", "upstream_invalid_request", "model_not_found", "context_length_exceeded"] as const),
  ...(["previous_response_not_found", "rate_limited", "quota_exceeded", "upstream_empty"] as const),
  ...(["upstream_invalid", "upstream_truncated", "budget_exhausted", "internal_error"] as const),
];

describe("a circuit", () => {
  for (const code of perModel)
    it(`opens for its model after five failures: ${code}`, async () => {
      const stage = openStage();
      await stage.failFive(code);
      assert.deepEqual(stage.refusal(), [code, 15_000]);
      assert.equal(stage.refusal("another"), undefined);
      assert.deepEqual(stage.changes, [{ state: "open", requestModel: "m", code, durationMs: 15_000 }]);
    });

  for (const code of perEndpoint)
    it(`opens for the whole endpoint after five failures of any models: ${code}`, async () => {
      const stage = openStage();
      for (const model of ["a", "b", "c", "d", "e"]) {
        await stage.clock.advance(1_000);
        stage.fail(code, model);
      }
      assert.deepEqual(stage.refusal("another"), [code, 15_000]);
      assert.deepEqual(stage.changes, [{ state: "open", code, durationMs: 15_000 }]);
    });

  for (const code of uncounted)
    it(`does not open by the refusal of a request, or by a key's limit: ${code}`, async () => {
      assert.ok(!counted.has(code));
      const stage = openStage();
      for (let round = 0; round < 20; round += 1) {
        await stage.clock.advance(500);
        stage.fail(code);
      }
      assert.equal(stage.refusal(), undefined);
      assert.equal(stage.circuits.outage("m"), undefined);
      assert.deepEqual(stage.changes, []);
    });

  it("does not open after four failures, or if an answer came in between, or if they were long ago", async () => {
    const stage = openStage();
    for (let round = 0; round < 4; round += 1) {
      stage.fail("upstream_error");
      await stage.clock.advance(1_000);
    }
    assert.equal(stage.refusal(), undefined);
    stage.circuits.begin("m").answered();
    for (let round = 0; round < 4; round += 1) stage.fail("upstream_error");
    assert.equal(stage.refusal(), undefined);
    await stage.clock.advance(30_000);
    stage.fail("upstream_error");
    assert.equal(stage.refusal(), undefined);
    assert.deepEqual(stage.changes, []);
  });

  it("does not open by failures of one moment, which repeats of the same calls may mend", async () => {
    const stage = openStage();
    for (let lanes = 0; lanes < 10; lanes += 1) stage.fail("upstream_error");
    await stage.clock.advance(1_999);
    stage.fail("upstream_error");
    assert.equal(stage.refusal(), undefined);
    await stage.clock.advance(1);
    stage.fail("upstream_error");
    assert.deepEqual(stage.refusal(), ["upstream_error", 15_000]);
  });

  it("lets one call through when its time is over, and stays open if that fails", async () => {
    const stage = openStage();
    await stage.failFive("upstream_error");
    await stage.clock.advance(14_999);
    assert.deepEqual(stage.refusal(), ["upstream_error", 1]);
    await stage.clock.advance(1);
    assert.equal(stage.circuits.outage("m"), undefined);
    const probe = stage.circuits.begin("m");
    assert.deepEqual(stage.refusal(), ["upstream_error", 15_000]);
    assert.equal(stage.circuits.outage("m")?.code, "upstream_error");
    probe.failed(new TroupeError("upstream_error"));
    assert.deepEqual(stage.refusal(), ["upstream_error", 15_000]);
    assert.equal(stage.changes.length, 1);
  });

  it("closes with the first answer", async () => {
    const stage = openStage();
    await stage.failFive("upstream_overloaded");
    await stage.clock.advance(15_000);
    stage.circuits.begin("m").answered();
    assert.equal(stage.refusal(), undefined);
    assert.deepEqual(stage.changes.at(-1), {
      state: "closed",
      requestModel: "m",
      code: "upstream_overloaded",
    });
    await stage.failFive("upstream_error");
    assert.equal(stage.changes.length, 3);
  });

  it("lets the next call through at once if the probe was stopped, or was refused for its own request", async () => {
    const stage = openStage();
    await stage.failFive("upstream_error");
    await stage.clock.advance(15_000);
    stage.circuits.begin("m").left();
    stage.fail("upstream_invalid_request");
    assert.equal(stage.refusal(), undefined);
  });

  it("is told failures of calls that began before it opened, which do not make it longer", async () => {
    const stage = openStage();
    const early = stage.circuits.begin("m");
    await stage.failFive("upstream_error");
    await stage.clock.advance(10_000);
    early.failed(new TroupeError("upstream_error"));
    assert.deepEqual(stage.refusal(), ["upstream_error", 5_000]);
    assert.equal(stage.changes.length, 1);
  });

  it("forgets the oldest of more than a hundred models, and tells that it is closed", async () => {
    const stage = openStage();
    await stage.failFive("upstream_error");
    for (let model = 0; model < 99; model += 1) stage.fail("upstream_error", `other-${model}`);
    assert.deepEqual(stage.refusal(), ["upstream_error", 15_000]);
    stage.fail("upstream_error", "one more");
    assert.equal(stage.refusal(), undefined);
    assert.equal(stage.changes.at(-1)?.state, "closed");
  });
});

describe("a pause that a vendor asks for", () => {
  for (const code of ["rate_limited", "upstream_overloaded"] as const)
    it(`is a reason to ask elsewhere, and stops no call: ${code}`, async () => {
      const stage = openStage();
      stage.fail(code, "m", { retryAfterMs: 5_000 });
      const outage = stage.circuits.outage("m");
      assert.deepEqual([outage?.code, outage?.retryAfterMs], [code, 5_000]);
      assert.equal(stage.circuits.outage("another"), undefined);
      assert.equal(stage.refusal(), undefined);
      await stage.clock.advance(5_000);
      assert.equal(stage.circuits.outage("m"), undefined);
      assert.deepEqual(stage.changes, [{ state: "paused", requestModel: "m", code, durationMs: 5_000 }]);
    });

  it("counts for a minute at most, not at all below a second, and ends with an answer", () => {
    const stage = openStage();
    stage.fail("rate_limited", "m", { retryAfterMs: 999 });
    assert.equal(stage.circuits.outage("m"), undefined);
    stage.fail("rate_limited", "m", { retryAfterMs: 3_600_000 });
    assert.equal(stage.circuits.outage("m")?.retryAfterMs, 60_000);
    stage.circuits.begin("m").answered();
    assert.equal(stage.circuits.outage("m"), undefined);
  });
});
