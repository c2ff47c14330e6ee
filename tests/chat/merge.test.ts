import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { merge } from "../../src/chat/merge.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";

/** Gives `name` and a number after each of the waits, then returns the name. */
async function* voice(clock: TestClock, name: string, waitsMs: readonly number[]) {
  for (const [index, waitMs] of waitsMs.entries()) {
    await clock.sleep(waitMs);
    yield `${name}${index + 1}`;
  }
  return name;
}

async function collect<T, R>(merged: AsyncGenerator<T, R>): Promise<{ values: T[]; result: R }> {
  const values: T[] = [];
  for (;;) {
    const step = await merged.next();
    if (step.done === true) return { values, result: step.value };
    values.push(step.value);
  }
}

describe("merge", () => {
  it("yields in the order of time and returns the results by index", async () => {
    const clock = createTestClock();
    const merged = collect(
      merge([voice(clock, "a", [30, 30]), voice(clock, "b", [20, 20, 5]), voice(clock, "c", [])]),
    );
    await clock.advance(1_000);
    assert.deepEqual(await merged, {
      values: ["b1", "a1", "b2", "b3", "a2"],
      result: ["a", "b", "c"],
    });
  });

  it("yields nothing for no sources", async () => {
    assert.deepEqual(await collect(merge([])), { values: [], result: [] });
  });

  it("lets none starve where all are always ready", async () => {
    async function* eager(name: string): AsyncGenerator<string, undefined> {
      for (;;) yield name;
    }
    const merged = merge([eager("a"), eager("b"), eager("c")]);
    const counts = new Map<string, number>();
    for (let step = 0; step < 30; step += 1) {
      const { value } = await merged.next();
      counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
    }
    await merged.return([]);
    assert.deepEqual([...counts].sort(), [
      ["a", 10],
      ["b", 10],
      ["c", 10],
    ]);
  });

  it("asks a source for more only when its last value was taken", async () => {
    const asked = { a: 0, b: 0 };
    async function* counted(name: "a" | "b"): AsyncGenerator<string, undefined> {
      for (;;) {
        asked[name] += 1;
        yield name;
      }
    }
    const merged = merge([counted("a"), counted("b")]);
    await merged.next();
    await createTestClock().advance(0);
    assert.deepEqual(asked, { a: 1, b: 1 });
    await merged.next();
    await createTestClock().advance(0);
    assert.deepEqual(asked, { a: 2, b: 1 });
    await merged.return([]);
  });

  it("ends the others when one throws, and passes its error on", async () => {
    const clock = createTestClock();
    const ended: string[] = [];
    async function* guarded(name: string, waitsMs: readonly number[], error?: Error) {
      try {
        const result = yield* voice(clock, name, waitsMs);
        if (error !== undefined) throw error;
        return result;
      } finally {
        ended.push(name);
      }
    }
    const error = new Error("broken");
    const merged = collect(merge([guarded("a", [10, 10, 10, 10]), guarded("b", [15], error)]));
    const failed = assert.rejects(merged, error);
    await clock.advance(1_000);
    await failed;
    assert.deepEqual(ended.sort(), ["a", "b"]);
    assert.equal(clock.sleeping, 0);
  });

  it("ends all when its reader leaves", async () => {
    const clock = createTestClock();
    const ended: string[] = [];
    async function* guarded(name: string): AsyncGenerator<string, undefined> {
      try {
        for (;;) {
          yield name;
          await clock.sleep(10);
        }
      } finally {
        ended.push(name);
      }
    }
    const merged = merge([guarded("a"), guarded("b")]);
    await merged.next();
    const left = merged.return([]);
    await clock.advance(100);
    await left;
    assert.deepEqual(ended.sort(), ["a", "b"]);
  });
});
