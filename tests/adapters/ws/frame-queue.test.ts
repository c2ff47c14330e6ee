import assert from "node:assert/strict";
import { it } from "node:test";
import { FrameQueue } from "../../../src/adapters/ws/frame-queue.ts";

it("a connection whose frames came by the thousand leaves the loop to others in between", async () => {
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
