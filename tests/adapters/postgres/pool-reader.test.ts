import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createReader } from "../../../src/adapters/postgres/pool-reader.ts";
import { createTestClock } from "../../support/test-clock.ts";

const statement = { name: "look", text: "SELECT 1" };

/** A reader on a database that is away until `isThere` is set. */
function createStage() {
  const clock = createTestClock();
  const stopped = new AbortController();
  const stage = { clock, stopped, isThere: false, asks: 0 };
  const reader = createReader({
    async ask() {
      stage.asks += 1;
      if (!stage.isThere) throw Object.assign(new Error("no connection"), { code: "ECONNREFUSED" });
      return { rows: [{ there: true }] };
    },
    ...{ clock, connections: 3, signal: stopped.signal },
  });
  /** Asks, and returns the outcome as far as it is known. */
  const ask = (patienceMs: number) => {
    const asked = { outcome: "waits", atMs: 0 };
    const note = (outcome: string) => () => void Object.assign(asked, { outcome, atMs: clock.now() });
    reader.query("ada", statement, [], patienceMs).then(note("answered"), note("refused"));
    return asked;
  };
  return Object.assign(stage, { ask });
}

describe("statements for a database that is away", () => {
  it("are refused after their patience, although statements of running turns hold all connections", async () => {
    const stage = createStage();
    const inTurns = [1, 2, 3].map(() => stage.ask(Number.POSITIVE_INFINITY));
    await stage.clock.advance(10_000);
    const asked = [1, 2, 3, 4].map(() => stage.ask(2_000));
    const startedAtMs = stage.clock.now();
    await stage.clock.advance(1_999);
    assert.deepEqual(
      asked.map(({ outcome }) => outcome),
      ["waits", "waits", "waits", "waits"],
    );
    await stage.clock.advance(401);
    for (const { outcome, atMs } of asked) {
      assert.equal(outcome, "refused");
      assert.ok(atMs - startedAtMs <= 2_400);
    }
    stage.isThere = true;
    await stage.clock.advance(400);
    assert.deepEqual(
      inTurns.map(({ outcome }) => outcome),
      ["answered", "answered", "answered"],
    );
    assert.equal(stage.clock.sleeping, 0);
  });

  it("are refused together, however many wait", async () => {
    const stage = createStage();
    const asked = Array.from({ length: 60 }, () => stage.ask(2_000));
    await stage.clock.advance(2_400);
    assert.deepEqual(new Set(asked.map(({ outcome }) => outcome)), new Set(["refused"]));
  });

  it("wait in a long queue as long as the database answers", async () => {
    const stage = createStage();
    stage.isThere = true;
    const asked = Array.from({ length: 60 }, () => stage.ask(0));
    await stage.clock.advance(0);
    assert.deepEqual(new Set(asked.map(({ outcome }) => outcome)), new Set(["answered"]));
    assert.equal(stage.clock.sleeping, 0);
  });

  it("are refused when the store closes", async () => {
    const stage = createStage();
    const asked = Array.from({ length: 5 }, () => stage.ask(Number.POSITIVE_INFINITY));
    await stage.clock.advance(1_000);
    stage.stopped.abort();
    await stage.clock.advance(200);
    assert.deepEqual(new Set(asked.map(({ outcome }) => outcome)), new Set(["refused"]));
    assert.equal(stage.clock.sleeping, 0);
  });
});
