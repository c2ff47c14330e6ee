import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type BegunCall,
  type SumPlace,
  sumsOfPage,
  type UsageStore,
  type UsageSum,
} from "../../src/ports/usage-store.ts";

/** A new, empty store. */
export interface UsageUnderTest extends AsyncDisposable {
  readonly store: UsageStore;
}

/** Reads all pages of the sums of `ada`. */
export async function pagesOf(store: UsageStore, from: number, to: number): Promise<(readonly UsageSum[])[]> {
  const pages: (readonly UsageSum[])[] = [];
  let after: SumPlace | undefined;
  do {
    const sums = await store.sums("ada", from, to, after);
    pages.push(sums);
    after = sums.length < sumsOfPage ? undefined : sums.at(-1);
  } while (after !== undefined);
  return pages;
}

let calls = 0;

/** A call that starts. `changes` holds the fields that matter to the test. */
export function callOf(changes: Partial<BegunCall> = {}): BegunCall {
  calls += 1;
  return {
    id: `call-${calls}`,
    owner: "ada",
    keyId: "key-1",
    requestId: "r",
    api: "openai",
    model: "m",
    day: 100,
    isBegun: false,
    atMs: 8_640_000_000,
    inputTokens: 10,
    outputTokens: 256,
    ...changes,
  };
}

export const used = (inputTokens: number, outputTokens: number, estimated = false) => ({
  usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated },
});

/** The contract of `UsageStore`, for every adapter to run. */
export function describeUsageStore(name: string, make: () => Promise<UsageUnderTest>): void {
  describe(`usage in ${name}`, () => {
    it("counts a call from its start as reserved, and then as it ended", async () => {
      await using place = await make();
      const call = callOf();
      place.store.begin(call);
      const sum = { day: 100, api: "openai", model: "m", calls: 1 };
      assert.deepEqual(await place.store.sums("ada", 100, 100), [
        { ...sum, inputTokens: 10, outputTokens: 256, estimated: true },
      ]);
      place.store.extend(call.id, 20, 512);
      const [extended] = await place.store.sums("ada", 100, 100);
      assert.deepEqual([extended?.inputTokens, extended?.outputTokens], [20, 512]);
      place.store.end(call.id, { ...used(9, 31), outcome: "completed", day: 100 });
      assert.deepEqual(await place.store.sums("ada", 100, 100), [
        { ...sum, inputTokens: 9, outputTokens: 31, estimated: false },
      ]);
    });

    it("adds up a day's calls of a model over all keys and requests, estimated as soon as one is", async () => {
      await using place = await make();
      const ends = [
        [callOf({ model: "b" }), used(1, 2)],
        [callOf({ model: "b", keyId: "key-2", requestId: "s" }), used(10, 20, true)],
        [callOf({ model: "a" }), used(100, 200)],
        [callOf({ model: "b", api: "local" }), used(5, 5)],
      ] as const;
      for (const [call, end] of ends) {
        place.store.begin(call);
        place.store.end(call.id, { ...end, outcome: "completed", day: 100 });
      }
      const sums = await place.store.sums("ada", 0, 1_000);
      assert.deepEqual(
        sums.map((sum) => [sum.api, sum.model, sum.calls, sum.inputTokens, sum.outputTokens, sum.estimated]),
        [
          ["local", "b", 1, 5, 5, false],
          ["openai", "a", 1, 100, 200, false],
          ["openai", "b", 2, 11, 22, true],
        ],
      );
    });

    it("counts a call on the day on which it ended, and returns only the requested days", async () => {
      await using place = await make();
      for (const day of [99, 100, 101]) {
        const call = callOf({ day: day - 1 });
        place.store.begin(call);
        place.store.end(call.id, { ...used(day, 0), outcome: "cancelled", day });
      }
      const days = async (from: number, to: number) =>
        (await place.store.sums("ada", from, to)).map(({ day, inputTokens }) => [day, inputTokens]);
      assert.deepEqual(await days(0, 1_000), [
        [99, 99],
        [100, 100],
        [101, 101],
      ]);
      assert.deepEqual(await days(100, 100), [[100, 100]]);
      assert.deepEqual(await days(102, 110), []);
    });

    it("reads many sums in pages that are full but for the last, with no sum twice and none missing", async () => {
      await using place = await make();
      // One model more than a page has: in bytes, as SQLite orders texts, "m10" comes before "m2".
      const models = Array.from({ length: sumsOfPage + 1 }, (_, index) => `m${index}`).toSorted();
      for (const day of [100, 101])
        for (const model of models) {
          const call = callOf({ model, day });
          place.store.begin(call);
          place.store.end(call.id, { ...used(1, 1), outcome: "completed", day });
        }
      const pages = await pagesOf(place.store, 0, 1_000);
      assert.deepEqual(
        pages.map(({ length }) => length),
        [sumsOfPage, sumsOfPage, 2],
      );
      const days = [100, 101].flatMap((day) => models.map((model) => [day, model]));
      assert.deepEqual(
        pages.flat().map(({ day, model }) => [day, model]),
        days,
      );
    });

    it("shows no owner the usage of others, and no call that never started", async () => {
      await using place = await make();
      const call = callOf();
      place.store.begin(call);
      place.store.end(call.id, { ...used(1, 1), outcome: "completed", day: 100 });
      place.store.end("never", { ...used(7, 7), outcome: "completed", day: 100 });
      for (const owner of ["bob", "ADA", "ada ", ""])
        assert.deepEqual(await place.store.sums(owner, 0, 1_000), []);
      assert.equal((await place.store.sums("ada", 0, 1_000)).length, 1);
    });
  });
}
