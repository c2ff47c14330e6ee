import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CommitQueue } from "../../../src/adapters/sqlite/committer.ts";
import type { Write } from "../../../src/adapters/sqlite/statements.ts";

type Entry = readonly [turn: number, text: string];
const write = (text: string): Write => ["keepServedTime", text];
const long = "x".repeat(1_000_000);

/** The texts of the writes in the next commit, cut to a few letters. */
function takeTexts(queue: CommitQueue<Entry>): string[] {
  return queue.take().groups.flatMap(({ writes }) => writes.map(([, text]) => String(text).slice(0, 8)));
}

describe("the queue of a commit", () => {
  it("puts the journal first: none of 60 questions of 1 MB goes before it", () => {
    const queue = new CommitQueue<Entry>();
    for (let question = 0; question < 60; question += 1) queue.add([write(long)], "attacker");
    queue.addEntry([7, "said"]);
    const { groups, entries } = queue.take();
    assert.deepEqual([groups.length, entries.map(({ entry }) => entry)], [0, [[7, "said"]]]);
  });

  it("goes by callers in turns, and by each caller in order", () => {
    const queue = new CommitQueue<Entry>();
    const half = "x".repeat(60_000);
    for (let question = 0; question < 60; question += 1) queue.add([write(`${question}${half}`)], "attacker");
    queue.add([write("one")], "neighbour");
    queue.add([write("two")], "neighbour");
    const expected = ["0xxxxxxx", "one", "1xxxxxxx", "two", "2xxxxxxx", "3xxxxxxx", "4xxxxxxx"];
    assert.deepEqual(takeTexts(queue), expected);
    assert.deepEqual(takeTexts(queue)[0], "5xxxxxxx");
  });

  it("takes long texts one at a time, by callers in turns", () => {
    const queue = new CommitQueue<Entry>();
    for (let question = 0; question < 60; question += 1) queue.add([write(`${question}${long}`)], "attacker");
    queue.add([write(`n${long}`)], "neighbour");
    const taken = [queue.takeSlice(), queue.takeSlice(), queue.takeSlice()];
    assert.deepEqual(
      taken.map((group) => String(group?.writes[0]?.[1]).slice(0, 2)),
      ["0x", "nx", "1x"],
    );
  });

  it("splits off a long entry of the journal, and keeps each turn's order", () => {
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

  it("never has a turn's events before its start", () => {
    const queue = new CommitQueue<Entry>();
    queue.add([write(long)], "owner", 7);
    queue.add([write("begins")], "owner", 8);
    queue.addEntry([7, "said"]);
    queue.addEntry([8, "said"]);
    const turns = () => queue.take().entries.map(({ entry: [turn] }) => turn);
    assert.deepEqual(turns(), [8]);
    assert.equal(queue.takeSlice()?.turn, 7);
    assert.deepEqual(turns(), [7]);
  });
});
