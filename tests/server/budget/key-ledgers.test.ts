import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyLedgers } from "../../../src/server/budget/ledger.ts";

const max = 100;

/** Ledgers of keys `0` to `count - 1`, each of which has spent its own number. */
function withKeys(count: number, options: ConstructorParameters<typeof KeyLedgers>[0] = {}) {
  const ledgers = new KeyLedgers({ max, ...options });
  for (let key = 0; key < count; key += 1) ledgers.of(`${key}`).settle(0, key);
  return ledgers;
}

describe("the ledgers of a day's keys", () => {
  it("are bounded in their number", () => {
    const ledgers = withKeys(0);
    let largest = 0;
    for (let key = 0; key < 50 * max; key += 1) {
      ledgers.of(`${key}`).settle(0, key % 7);
      largest = Math.max(largest, ledgers.size);
    }
    assert.equal(largest, max);
  });

  it("drop the smallest expenses first, and forget none of a key", () => {
    const ledgers = withKeys(max);
    ledgers.of("new");
    assert.equal(ledgers.size, 0.9 * max + 1);
    for (let key = 0; key < max; key += 1) {
      const { spent } = ledgers.of(`${key}`);
      assert.ok(spent >= key, `${key} had spent ${spent}`);
      if (key >= max / 2) assert.equal(spent, key);
    }
    assert.equal(ledgers.of("newer").spent, 0.1 * max - 1);
  });

  it("keep the reservation of a call that runs, whatever other keys do", () => {
    const ledgers = withKeys(0);
    const running = ledgers.of("running");
    running.reserve(5);
    for (let key = 0; key < 10 * max; key += 1) ledgers.of(`${key}`).settle(0, 1);
    assert.equal(ledgers.of("running"), running);
    running.settle(5, 3);
    assert.equal(ledgers.of("running").spent, 3);
  });

  it("keep ledgers that are still in use elsewhere", () => {
    const ledgers = withKeys(max, { mayDrop: (key) => key !== "0" });
    const kept = ledgers.of("0");
    for (let key = 0; key < max; key += 1) ledgers.of(`new ${key}`);
    assert.equal(ledgers.of("0"), kept);
  });

  it("start at 0 on the next day", () => {
    const ledgers = withKeys(2 * max);
    ledgers.renew();
    assert.deepEqual([ledgers.size, ledgers.of("0").spent], [0, 0]);
  });
});
