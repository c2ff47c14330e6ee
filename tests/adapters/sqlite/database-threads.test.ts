import assert from "node:assert/strict";
import { test } from "node:test";
import { createFairReader, type WorkerThread } from "../../../src/adapters/sqlite/database-threads.ts";
import type { Read } from "../../../src/adapters/sqlite/statements.ts";
import { createTestClock } from "../../support/test-clock.ts";

/** A thread that answers each read with its last value, and fails messages with a read of "damaged". */
function createEcho() {
  const messages: (readonly Read[])[] = [];
  const thread: WorkerThread = {
    damages: [],
    fault: undefined,
    terminate: async () => undefined,
    async call(asked) {
      assert.ok(asked.type === "read");
      messages.push(asked.reads);
      if (asked.reads.some((read) => read.includes("damaged"))) throw new Error("a damaged page");
      return { rows: [], found: asked.reads.map((read) => [{ value: read.at(-1) ?? null }]) };
    },
  };
  const reader = createFairReader(thread, createTestClock());
  const read = async (owner: string, value: string) =>
    (await reader.read(owner, "counter", [value]))[0]?.value;
  return { read, sent: () => messages.map((reads) => reads.map((one) => one.at(-1)).join(" ")) };
}

test("two reads that a caller makes in one step travel together, and no more than two", async () => {
  const { read, sent } = createEcho();
  const later = async () => {
    for (let step = 0; step < 10; step += 1) await undefined;
    return read("ada", "2");
  };
  const found = await Promise.all([read("ada", "1"), read("bob", "4"), later(), read("bob", "5")]);
  assert.deepEqual(found, ["1", "4", "2", "5"]);
  assert.deepEqual(sent(), ["1 2", "4 5"]);
  await Promise.all(["6", "7", "8"].map((value) => read("ada", value)));
  assert.deepEqual(sent().slice(2), ["6 7", "8"]);
});

test("reads of different steps do not wait for each other, and callers still take turns", async () => {
  const { read, sent } = createEcho();
  const first = read("ada", "1");
  await new Promise((resolve) => setImmediate(resolve));
  const second = read("ada", "2");
  await Promise.all([first, second]);
  assert.deepEqual(sent(), ["1", "2"]);
  const many = ["a", "b", "c", "d", "e"].map((value) => read("ada", value));
  await Promise.all([...many, read("bob", "f")]);
  assert.deepEqual(sent().slice(2), ["a b", "f", "c d", "e"]);
});

test("a read that fails fails alone", async () => {
  const { read } = createEcho();
  const [damaged, whole] = await Promise.allSettled([read("ada", "damaged"), read("ada", "whole")]);
  assert.equal(damaged?.status, "rejected");
  assert.deepEqual(whole, { status: "fulfilled", value: "whole" });
});
