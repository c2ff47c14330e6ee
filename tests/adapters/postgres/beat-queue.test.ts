import assert from "node:assert/strict";
import { test } from "node:test";
import type { BeatItem } from "../../../src/adapters/postgres/beat-item.ts";
import { BeatQueue } from "../../../src/adapters/postgres/beat-queue.ts";

const steps = (turn: number, firstSeq: number, text = ""): BeatItem => ({
  ...{ kind: "steps", turn, firstSeq, part: 0, events: 1 },
  steps: text,
});
const moved = (conversationId: string, headId: string): BeatItem => ({
  ...{ kind: "messages", owner: "ada", conversationId, headId },
  ...{ messages: [], title: null, atMs: 0 },
});

function queueOf(...items: readonly BeatItem[]): BeatQueue {
  const queue = new BeatQueue();
  for (const item of items) void queue.add(item);
  return queue;
}

/** The items of the next beats, until the queue is empty. */
function beatsOf(queue: BeatQueue): BeatItem[][] {
  const beats: BeatItem[][] = [];
  while (!queue.isEmpty) beats.push(queue.take().map(({ item }) => item));
  return beats;
}

test("a row is changed once a beat, and its changes keep their order", () => {
  const [a1, b1, a2, c1, a3] = [
    moved("a", "1"),
    moved("b", "1"),
    moved("a", "2"),
    moved("c", "1"),
    moved("a", "3"),
  ];
  assert.deepEqual(beatsOf(queueOf(a1, b1, a2, c1, a3)), [[a1, b1, c1], [a2], [a3]]);
});

test("an item that waits holds back later items of all its rows", () => {
  const noted = (...digests: string[]): BeatItem => ({
    kind: "vendor-ids",
    owner: "ada",
    digests,
    notedMs: 0,
  });
  const [x, xy, y] = [noted("x"), noted("x", "y"), noted("y")];
  assert.deepEqual(beatsOf(queueOf(x, xy, y)), [[x], [xy], [y]]);
});

test("a beat has a limit of text and one of items, but always an item", () => {
  const large = "x".repeat(200_000);
  const items = [1, 2, 3].map((turn) => steps(turn, 1, large));
  assert.deepEqual(
    beatsOf(queueOf(...items)),
    items.map((item) => [item]),
  );
  const many = Array.from({ length: 1_001 }, (_, turn) => steps(turn, 1));
  assert.deepEqual(
    beatsOf(queueOf(...many)).map(({ length }) => length),
    [500, 500, 1],
  );
});
