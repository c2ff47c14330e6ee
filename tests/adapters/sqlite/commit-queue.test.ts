import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CommitQueue } from "../../../src/adapters/sqlite/commit-queue.ts";
import type { Write } from "../../../src/adapters/sqlite/statements.ts";

type Entry = readonly [turn: number, text: string];
const write = (text: string): Write => ["keepServedTime", text];
const long = "x".repeat(1_000_000);

/** The texts of the writes that the next commit takes, cut to a few letters. */
function takeTexts(queue: CommitQueue<Entry>): string[] {
  return queue.take().groups.flatMap(({ writes }) => writes.map(([, text]) => String(text).slice(0, 8)));
}

describe("what waits for a commit", () => {
  it("is the journal first: 60 questions of 1 MB before it make no turn wait for more than one of them", () => {
    const queue = new CommitQueue<Entry>();
    for (let question = 0; question < 60; question += 1) queue.add([write(long)], "attacker");
    queue.addEntry([7, "said"]);
    const { groups, entries } = queue.take();
    assert.deepEqual([groups.length, entries.map(({ entry }) => entry)], [1, [[7, "said"]]]);
  });

  it("goes by callers in turns, and by each caller in order", () => {
    const queue = new CommitQueue<Entry>();
    for (let question = 0; question < 60; question += 1) queue.add([write(`${question}${long}`)], "attacker");
    queue.add([write("one")], "neighbour");
    queue.add([write("two")], "neighbour");
    assert.deepEqual(takeTexts(queue), ["0xxxxxxx"]);
    assert.deepEqual(takeTexts(queue), ["one", "1xxxxxxx"]);
    assert.deepEqual(takeTexts(queue), ["two", "2xxxxxxx"]);
  });

  it("does not let a long entry of the journal take the others with it, and keeps each turn's order", () => {
    const queue = new CommitQueue<Entry>();
    const turns = () =>
      queue.take().entries.map(({ entry: [turn, text] }) => `${turn}${String(text).slice(0, 4)}`);
    for (const turn of [1, 2, 3]) queue.addEntry([turn, long]);
    queue.addEntry([2, "end"]);
    queue.addEntry([4, "said"]);
    assert.deepEqual(turns(), ["1xxxx"]);
    assert.deepEqual(turns(), ["2xxxx"]);
    assert.deepEqual(turns(), ["3xxxx"]);
    assert.deepEqual(turns(), ["2end", "4said"]);
  });

  it("never has a turn's events before its beginning", () => {
    const queue = new CommitQueue<Entry>();
    queue.add([write(long)], "owner");
    queue.add([write("begins")], "owner", 7);
    queue.addEntry([7, "said"]);
    assert.deepEqual(queue.take().entries, []);
    const { groups, entries } = queue.take();
    assert.deepEqual([groups.length, entries.length], [1, 1]);
  });
});
