import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TextQueue } from "../../../src/chat/pacing/text-queue.ts";

function arrivalsOf(...texts: readonly (readonly [text: string, atMs: number])[]) {
  const queue = new TextQueue();
  for (const [text, atMs] of texts) queue.pushText(text, atMs);
  return queue.arrivals().map(({ end, atMs }) => [end, atMs]);
}

describe("the arrival times of waiting text", () => {
  it("are one for pieces closer together than 25 ms, counted from the first of them", () => {
    assert.deepEqual(arrivalsOf(["a", 0], ["bc", 10], ["d", 24]), [[4, 0]]);
    assert.deepEqual(arrivalsOf(["a", 0], ["bc", 24], ["d", 25], ["e", 49], ["f", 50]), [
      [3, 0],
      [5, 25],
      [6, 50],
    ]);
  });

  it("are each its own for pieces that come slowly", () => {
    assert.deepEqual(arrivalsOf(["a", 0], ["b", 100], ["c", 200]), [
      [1, 0],
      [2, 100],
      [3, 200],
    ]);
  });

  it("start again after an event between two texts", () => {
    const queue = new TextQueue();
    queue.pushText("ab", 0);
    queue.pushEvent({ type: "reasoning", text: "hm" });
    queue.pushText("c", 10);
    assert.deepEqual(queue.arrivals(), [
      { end: 2, atMs: 0 },
      { end: 3, atMs: 10 },
    ]);
  });
});
