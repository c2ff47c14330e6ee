import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  createDeathWatch,
  cutOffMs,
  type SeenNode,
} from "../../../src/adapters/postgres/nodes/death-watch.ts";

const other = { incarnation: 7, beat: 3, hasFence: true, isConnected: true };

/** Looks of one observer, each a second after the one before unless told, and answered at once. */
function observe() {
  const watch = createDeathWatch();
  let atMs = 0;
  let verdicts: ReturnType<typeof watch.note> = { dead: [], gone: [], hasLost: false };
  return {
    watch,
    /** Returns whether the node is dead after this many looks that find it like this. */
    look(seen: Partial<SeenNode> = {}, count = 1, { afterMs = 1_000, isSettled = true, answerMs = 0 } = {}) {
      for (let looks = 0; looks < count; looks += 1) {
        atMs += afterMs;
        const [sentAtMs, answeredAtMs] = [atMs, atMs + answerMs];
        verdicts = watch.note({ nodes: [{ ...other, ...seen }], sentAtMs, answeredAtMs, isSettled });
      }
      return verdicts.dead.includes(other.incarnation);
    },
    hasLost: () => verdicts.hasLost,
    isGone: () => verdicts.gone.includes(other.incarnation),
    nowMs: () => atMs,
    fail: () => watch.fail(atMs),
  };
}

describe("the watch for dead nodes", () => {
  it("takes a node for dead after 6 s without a new heartbeat, and not sooner", () => {
    const { look } = observe();
    assert.equal(look({}, 6), false);
    assert.equal(look(), true);
  });

  it("counts looks, not only time: an observer that stood still does not take others for dead", () => {
    const { look } = observe();
    look({}, 2);
    assert.equal(look({}, 1, { afterMs: 60_000 }), false);
    assert.equal(look({}, 1), false);
    assert.equal(look({}, 1), true);
  });

  it("does not count a slow answer as waiting", () => {
    const { look } = observe();
    look({}, 1, { answerMs: 5_000 });
    assert.equal(look({}, 8), false);
  });

  it("starts again with each heartbeat", () => {
    const { look } = observe();
    for (let beat = 0; beat < 10; beat += 1) assert.equal(look({ beat }, 6), false);
  });

  it("takes nobody for dead for 15 s after a look that failed", () => {
    const { look, fail } = observe();
    look({}, 6);
    fail();
    assert.equal(look({}, 14), false);
    assert.equal(look({}, 1), true);
  });

  it("takes a node without a connection for dead after three looks", () => {
    const { look, watch } = observe();
    assert.equal(look({ isConnected: false }, 2), false);
    assert.equal(watch.hasSuspects, true);
    assert.equal(look({ isConnected: false }), true);
  });

  it("does not suspect a node without a connection whose heartbeats go on", () => {
    const { look, watch } = observe();
    look({ isConnected: false, beat: 3 });
    assert.equal(watch.hasSuspects, true);
    look({ isConnected: false, beat: 4 });
    assert.equal(watch.hasSuspects, false);
    look({ isConnected: false, beat: 4 });
    assert.equal(watch.hasSuspects, true);
  });

  it("gives nodes time to connect again, after a restart of the database and after their start", () => {
    const { look } = observe();
    assert.equal(look({ isConnected: false }, 6, { isSettled: false }), false);
    const started = observe();
    assert.equal(started.look({ isConnected: false, beat: 0 }, 6), false);
  });

  it("starts the count of looks without a connection again when there is one", () => {
    const { look } = observe();
    for (let count = 0; count < 2; count += 1) {
      assert.equal(look({ isConnected: false, beat: count }, 2), false);
      assert.equal(look({ beat: count }, 1), false);
    }
  });

  it("does not take over a node that has no fence any more", () => {
    const { look } = observe();
    assert.equal(look({ hasFence: false }, 10), false);
  });

  it("tells once that a node has lost its fence, also over a look that failed, and of one that left", () => {
    const { watch, look, hasLost, fail } = observe();
    look({}, 2);
    assert.equal(hasLost(), false);
    fail();
    look({ hasFence: false });
    assert.equal(hasLost(), true);
    look({ hasFence: false });
    assert.equal(hasLost(), false);
    look();
    const empty = { nodes: [], sentAtMs: 90_000, answeredAtMs: 90_000, isSettled: true };
    assert.equal(watch.note(empty).hasLost, true);
    assert.equal(watch.note(empty).hasLost, false);
  });

  for (const [name, seen] of [
    ["without a connection", { isConnected: false }],
    ["that was taken over", { isConnected: false, hasFence: false }],
    ["that is silent", {}],
  ] as const)
    it(`counts a node ${name} as gone only after it has cut itself off`, () => {
      const { look, isGone, nowMs } = observe();
      // The node sent its last heartbeat before this look was answered, and it is slow.
      look(seen, 1, { answerMs: 900 });
      const heardMs = nowMs() + 900;
      while (!isGone()) look(seen);
      assert.ok(nowMs() - heardMs >= cutOffMs * 1.25, `${nowMs() - heardMs}`);
    });
});
