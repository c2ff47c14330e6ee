import assert from "node:assert/strict";
import { it, test } from "node:test";
import { FrameQueue, RateLimit } from "../../../src/adapters/ws/incoming-frames.ts";
import { createTestClock } from "../../support/test-clock.ts";

it("a connection with thousands of received frames lets other work run in between", async () => {
  let handled = 0;
  const queue = new FrameQueue({
    handle: async () => {
      handled += 1;
    },
    onFault: (fault) => assert.fail(String(fault)),
    pause: () => undefined,
    resume: () => undefined,
  });
  for (let count = 0; count < 3_000; count += 1) queue.push(Buffer.from("{}"), false);
  const handledByTurn: number[] = [];
  while (handled < 3_000) {
    await new Promise((resolve) => setImmediate(resolve));
    handledByTurn.push(handled);
  }
  await queue.idle();
  assert.ok(handledByTurn.length > 50, `${handledByTurn.length} turns of the loop for 3,000 frames`);
});

it("a connection is not read while many bytes of its frames wait, however few frames they are", async () => {
  const states: string[] = [];
  const handling = Promise.withResolvers<void>();
  const queue = new FrameQueue({
    handle: () => handling.promise,
    onFault: (fault) => assert.fail(String(fault)),
    pause: () => void states.push("paused"),
    resume: () => void states.push("resumed"),
  });
  queue.push(Buffer.alloc(1024 * 1024), false);
  assert.deepEqual(states, []);
  queue.push(Buffer.alloc(200 * 1024), false);
  assert.deepEqual(states, []);
  queue.push(Buffer.alloc(100 * 1024), false);
  assert.deepEqual(states, ["paused"]);
  handling.resolve();
  await queue.idle();
  assert.deepEqual(states, ["paused", "resumed"]);
});

it("large frames of several connections are each given a turn of the loop", async () => {
  const inOrder: string[] = [];
  const queues = ["first", "second", "third"].map((name) => {
    const queue = new FrameQueue({
      handle: async () => {
        inOrder.push(name);
        setImmediate(() => inOrder.push("turn"));
      },
      onFault: (fault) => assert.fail(String(fault)),
      pause: () => undefined,
      resume: () => undefined,
    });
    queue.push(Buffer.alloc(64 * 1024), false);
    return queue;
  });
  await Promise.all(queues.map((queue) => queue.idle()));
  assert.deepEqual(inOrder, ["first", "turn", "second", "turn", "third"]);
});

/** How many calls pass at once. */
function burstOf(limit: RateLimit): number {
  let count = 0;
  while (count < 1_000 && limit.letIn()) count += 1;
  return count;
}

test("a pause of any length saves up one burst", async () => {
  const clock = createTestClock();
  const limit = new RateLimit({ perSecond: 10, burst: 20 }, clock);
  assert.equal(burstOf(limit), 20);
  for (const pauseMs of [2_000, 60_000, 24 * 3_600_000]) {
    await clock.advance(pauseMs);
    assert.equal(burstOf(limit), 20, `after ${pauseMs} ms`);
  }
  await clock.advance(500);
  assert.equal(burstOf(limit), 5);
  await clock.advance(99);
  assert.equal(burstOf(limit), 0);
});

test("a socket that was idle since it opened has one burst", async () => {
  const clock = createTestClock();
  const limit = new RateLimit({ perSecond: 10, burst: 20 }, clock);
  await clock.advance(24 * 3_600_000);
  assert.equal(burstOf(limit), 20);
});
