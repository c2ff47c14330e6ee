import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../../../src/adapters/system/system.ts";

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

/** Settles a while after everything due by then has happened. */
const pass = (ms: number) => systemClock.sleep(ms);

describe("the system's clock", () => {
  it("has one timer for all waits with the same due time", async () => {
    const before = timers();
    let called = 0;
    for (let waiting = 0; waiting < 1_000; waiting += 1) systemClock.callAfter(20, () => (called += 1));
    // The thousand sleeps did not all start in the same millisecond.
    assert.ok(timers() - before < 100, `${timers() - before} timers`);
    await pass(60);
    assert.equal(called, 1_000);
    assert.equal(timers(), before);
  });

  it("does not run a cancelled call, even if one due at the same moment cancelled it", async () => {
    const before = timers();
    const called: number[] = [];
    const calls = [0, 1, 2].map((place) =>
      systemClock.callAfter(10, () => {
        called.push(place);
        calls[place + 1]?.();
      }),
    );
    await pass(50);
    // This holds even if the calls have different due times: the first still cancels the second.
    assert.deepEqual(called, [0, 2]);
    const callOff = systemClock.callAfter(2_000, () => called.push(3));
    callOff();
    assert.equal(timers(), before);
  });

  it("never calls too early", async () => {
    const called: number[] = [];
    const early: number[] = [];
    const waits = [30, 0, 0.5, 12.25, 30, 3, 5.9, 7.9, 9.9, 11.9, 13.9];
    for (const ms of waits) {
      const startMs = systemClock.now();
      systemClock.callAfter(ms, () => {
        called.push(ms);
        // The system's timers count whole milliseconds, and the first one may be nearly over.
        if (systemClock.now() - startMs < ms - 1) early.push(ms);
      });
    }
    await pass(80);
    assert.equal(called.length, waits.length);
    assert.deepEqual(early, []);
  });

  it("runs the other calls if one throws", async (test) => {
    const thrown = Promise.withResolvers<unknown>();
    process.setUncaughtExceptionCaptureCallback(thrown.resolve);
    test.after(() => process.setUncaughtExceptionCaptureCallback(null));
    const other = Promise.withResolvers<void>();
    const fault = new Error("of one of them");
    systemClock.callAfter(5, () => {
      throw fault;
    });
    systemClock.callAfter(5, other.resolve);
    assert.equal(await thrown.promise, fault);
    await other.promise;
  });
});
