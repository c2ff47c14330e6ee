import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PurseAmounts, SharedPurses } from "../../src/ports/shared-purses.ts";
import type { Spending } from "../../src/ports/usage-store.ts";

/** Two nodes, of which the second can be gone with the calls that it recorded. */
export interface PursesUnderTest extends AsyncDisposable {
  readonly first: SharedPurses;
  readonly second: SharedPurses;
  /** The second node dies after it recorded these calls. */
  leave(calls: readonly Spending[]): Promise<unknown>;
}

const day = 20_000;
const request = { name: "purse", cap: 1_000, spent: 0, used: 0, need: 0, want: 0 };
const amountsOf: PurseAmounts = ({ inputTokens, outputTokens }) => [["purse", inputTokens + outputTokens]];
const call = { api: "openai", keyId: "key", model: "model", inputTokens: 40, outputTokens: 60 };

/** The contract of `SharedPurses`, for every adapter to run. */
export function describeSharedPurses(name: string, create: () => Promise<PursesUnderTest>): void {
  describe(`${name} as purses of several nodes`, () => {
    async function ask(purses: SharedPurses, changes: Partial<typeof request>, ofDay = day) {
      const { slices, hasLeft } = await purses.ask(ofDay, [{ ...request, ...changes }]);
      const [slice] = slices;
      assert.ok(slice !== undefined && slices.length === 1);
      return { ...slice, hasLeft };
    }

    it("give what is needed as long as there is any, and tell the rest", async () => {
      await using under = await create();
      assert.equal((await ask(under.first, { need: 700, want: 700 })).amount, 700);
      const second = await ask(under.second, { need: 700, want: 700 });
      assert.deepEqual([second.amount, second.heldElsewhere, second.unusedElsewhere], [300, 700, 700]);
      assert.equal((await ask(under.second, { need: 300, want: 300, used: 200, spent: 150 })).amount, 300);
      const first = await ask(under.first, { used: 700, need: 900, want: 900 });
      assert.deepEqual([first.amount, first.spentElsewhere, first.unusedElsewhere], [700, 150, 100]);
    });

    it("give only a part of the rest beyond what is needed", async () => {
      await using under = await create();
      assert.equal((await ask(under.first, { need: 200, want: 1_000 })).amount, 300);
    });

    it("take back what is not wanted, and never what is used", async () => {
      await using under = await create();
      await ask(under.first, { need: 900, want: 900 });
      assert.equal((await ask(under.first, { used: 150, spent: 100, need: 150, want: 50 })).amount, 150);
      assert.equal((await ask(under.second, { need: 900, want: 900 })).amount, 850);
    });

    it("count an amount that was used beyond the slice", async () => {
      await using under = await create();
      assert.equal((await ask(under.first, { used: 1_100, need: 1_100, want: 1_100 })).amount, 1_100);
      assert.equal((await ask(under.second, { need: 1, want: 1 })).amount, 0);
    });

    it("never give more than there is to simultaneous asks", async () => {
      await using under = await create();
      const asks = [under.first, under.second].map(async (purses) => {
        for (let need = 10; need <= 1_000; need += 10) await ask(purses, { need, want: need });
      });
      await Promise.all(asks);
      const [first, second] = [
        await ask(under.first, { want: 1_000 }),
        await ask(under.second, { want: 1_000 }),
      ];
      assert.equal(first.amount + second.amount, 1_000);
    });

    it("replace the slice of a node that is gone by what its calls used", async () => {
      await using under = await create();
      await ask(under.first, { need: 100, want: 100 });
      await ask(under.second, { need: 800, want: 800 });
      await under.leave([call]);
      const before = await ask(under.first, { need: 950, want: 950 });
      assert.deepEqual([before.amount, before.hasLeft], [200, true]);
      assert.deepEqual(await under.first.leftDays(), [day]);
      await under.first.recount(day, amountsOf);
      assert.deepEqual(await under.first.leftDays(), []);
      const after = await ask(under.first, { need: 950, want: 950 });
      assert.deepEqual([after.amount, after.spentElsewhere, after.hasLeft], [900, 100, false]);
    });

    it("are told the recorded cost of a node that is gone, apart from calls without one", async () => {
      await using under = await create();
      await ask(under.second, { need: 800, want: 800 });
      await under.leave([{ ...call, cost: 0.5 }, { ...call, cost: 0.25 }, call]);
      const told: Spending[] = [];
      await under.first.recount(day, (spending) => {
        told.push(spending);
        return [["purse", spending.cost === undefined ? 1 : spending.cost * 100]];
      });
      const sumOf = (of: (one: Spending) => number) => told.reduce((sum, one) => sum + of(one), 0);
      assert.deepEqual(
        [sumOf(({ cost = 0 }) => cost), sumOf((one) => (one.cost === undefined ? one.inputTokens : 0))],
        [0.75, 40],
      );
      assert.equal((await ask(under.first, { need: 1, want: 1 })).spentElsewhere, 76);
    });

    it("keep days apart, and know day 0 as no day", async () => {
      await using under = await create();
      for (const each of [0, day, day + 1])
        assert.equal((await ask(under.second, { need: 1_000, want: 1_000 }, each)).amount, 1_000);
      await under.leave([]);
      assert.deepEqual((await under.first.leftDays()).toSorted(), [0, day, day + 1]);
      for (const each of [0, day, day + 1]) await under.first.recount(each, () => []);
      assert.deepEqual(await under.first.leftDays(), []);
      assert.equal((await ask(under.first, { need: 1_000, want: 1_000 }, 0)).amount, 1_000);
    });
  });
}
