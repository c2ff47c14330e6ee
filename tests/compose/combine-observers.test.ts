import assert from "node:assert/strict";
import { test } from "node:test";
import { combineObservers } from "../../src/compose/combine-observers.ts";
import type { Observer } from "../../src/ports/observer.ts";
import { createNotingObserver } from "../support/noting-observer.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";

test("an observer has only the methods that one of its parts has", () => {
  const nothing = () => undefined;
  assert.deepEqual(Object.keys(combineObservers([])), []);
  assert.deepEqual(Object.keys(combineObservers([{ refused: nothing }, {}, { committed: nothing }])), [
    "committed",
    "refused",
  ]);
  const all = Object.keys(createNotingObserver().observer);
  assert.deepEqual(Object.keys(combineObservers([createNotingObserver().observer])), all);
});

test("methods of a class keep their object, and every observer is told", () => {
  class Counting implements Observer {
    count = 0;
    recovered(): void {
      this.count += 1;
    }
  }
  const counting = [new Counting(), new Counting()];
  combineObservers(counting).recovered?.({ continued: 1, interrupted: 0 });
  assert.deepEqual(
    counting.map(({ count }) => count),
    [1, 1],
  );
});

/** An observer whose every method fails. */
function failingObserver(fail: () => unknown): Observer {
  const { observer } = createNotingObserver();
  return Object.fromEntries(Object.keys(observer).map((name) => [name, fail])) as Observer;
}

for (const [name, fail] of [
  [
    "throws",
    () => {
      throw new Error("a defect");
    },
  ],
  ["rejects", () => Promise.reject(new Error("a defect"))],
] as const)
  test(`an observer that ${name} at everything harms nothing, and is reported once`, async () => {
    const lines: unknown[] = [];
    const nothing = () => undefined;
    const error = (fields: object, message: string) => void lines.push([message, Reflect.get(fields, "err")]);
    await using server = await startTroupe({
      observer: failingObserver(fail),
      clock: createTestClock({ instantMs: 1_000 }),
      logger: { debug: nothing, info: nothing, warn: nothing, error },
    });
    for (const id of ["first", "second"]) {
      const client = await server.connect();
      client.send({
        type: "chat",
        id,
        data: { message: "Hi", persona_id: "teacher", pacing: { mode: "raw" } },
      });
      client.sendText("{");
      const messages = await client.untilTerminal(id);
      assert.equal(messages.at(-1)?.type, "response");
      client.close();
    }
    await until(() => server.troupe.stats().connections === 0);
    assert.deepEqual(lines, [
      ["an observer failed; its further failures are not reported", new Error("a defect")],
    ]);
  });
