import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Cost } from "../../src/ports/provider.ts";
import {
  type BegunCall,
  placeOfSum,
  type SumPlace,
  sumsOfPage,
  type UsageGroup,
  type UsageStore,
  type UsageSum,
  usageGroups,
} from "../../src/ports/usage-store.ts";

/** A new, empty store. */
export interface UsageUnderTest extends AsyncDisposable {
  readonly store: UsageStore;
}

/** Reads all pages of the sums of `ada`. */
export async function pagesOf(
  store: UsageStore,
  from: number,
  to: number,
  group: UsageGroup = "model",
): Promise<(readonly UsageSum[])[]> {
  const pages: (readonly UsageSum[])[] = [];
  let after: SumPlace | undefined;
  do {
    const sums = await store.sums("ada", from, to, group, after);
    pages.push(sums);
    const last = sums.length < sumsOfPage ? undefined : sums.at(-1);
    after = last && placeOfSum(group, last);
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

/** The usage of a call that cost this many dollars. */
export const paid = (usd: number, more: Partial<Cost> = {}) => ({
  usage: { ...used(1, 2).usage, cost: { usd, approximate: false, ...more } },
});

const unknown = (unknownCalls: number) => ({ cost: { approximate: false, unknownCalls } });

/** The contract of `UsageStore`, for every adapter to run. */
export function describeUsageStore(name: string, make: () => Promise<UsageUnderTest>): void {
  describe(`usage in ${name}`, () => {
    it("counts a call from its start as reserved, and then as it ended", async () => {
      await using place = await make();
      const call = callOf();
      place.store.begin(call);
      const sum = { day: 100, api: "openai", model: "m", calls: 1 };
      assert.deepEqual(await place.store.sums("ada", 100, 100), [
        { ...sum, inputTokens: 10, outputTokens: 256, estimated: true, ...unknown(1) },
      ]);
      place.store.extend(call.id, 20, 512);
      const [extended] = await place.store.sums("ada", 100, 100);
      assert.deepEqual([extended?.inputTokens, extended?.outputTokens], [20, 512]);
      place.store.end(call.id, { ...used(9, 31), outcome: "completed", day: 100 });
      assert.deepEqual(await place.store.sums("ada", 100, 100), [
        { ...sum, inputTokens: 9, outputTokens: 31, estimated: false, ...unknown(1) },
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

    it("adds up the costs that are known, and counts the calls whose cost is not", async () => {
      await using place = await make();
      const ends = {
        paid: [paid(0.5), paid(0.25)],
        guessed: [paid(0.5), paid(1, { approximate: true })],
        partly: [paid(0.5), used(1, 2), paid(3, { partial: true })],
        unknown: [used(1, 2), used(3, 4)],
        unread: [used(0, 0)],
      };
      for (const [model, list] of Object.entries(ends))
        for (const end of list) {
          const call = callOf({ model });
          place.store.begin(call);
          place.store.end(call.id, { ...end, outcome: "completed", day: 100 });
        }
      place.store.begin(callOf({ model: "running" }));
      const sums = await place.store.sums("ada", 100, 100);
      assert.deepEqual(Object.fromEntries(sums.map(({ model, cost }) => [model, cost])), {
        guessed: { usd: 1.5, approximate: true, unknownCalls: 0 },
        paid: { usd: 0.75, approximate: false, unknownCalls: 0 },
        partly: { usd: 0.5, approximate: false, unknownCalls: 2 },
        running: { approximate: false, unknownCalls: 1 },
        unknown: { approximate: false, unknownCalls: 2 },
        unread: { usd: 0, approximate: false, unknownCalls: 0 },
      });
    });

    it("sums up by model, day, key, conversation, request and call, with the same total for each", async () => {
      await using place = await make();
      const talk = { conversationId: "c-1", requestId: "r-1" };
      const started = [
        callOf({ ...talk, id: "1" }),
        callOf({ ...talk, id: "2", lane: "teacher", keyId: "key-2", model: "n" }),
        callOf({ ...talk, id: "3", requestId: "r-2", day: 101 }),
        callOf({ id: "4", requestId: "r-3" }),
      ];
      for (const call of started) {
        place.store.begin(call);
        place.store.end(call.id, { ...paid(0.5), outcome: "completed", day: call.day });
      }
      const { requestId: _, ...unnamed } = callOf({ id: "5", keyId: "key-2" });
      place.store.begin(unnamed);
      const read = async (group: UsageGroup) =>
        (await place.store.sums("ada", 0, 1_000, group)).map(
          ({ inputTokens: _, outputTokens: __, estimated: ___, calls, cost, ...fields }) => [
            { ...fields, calls },
            cost.usd,
            cost.unknownCalls,
          ],
        );
      assert.deepEqual(await read("day"), [
        [{ day: 100, calls: 4 }, 1.5, 1],
        [{ day: 101, calls: 1 }, 0.5, 0],
      ]);
      assert.deepEqual(await read("key"), [
        [{ keyId: "key-1", calls: 3 }, 1.5, 0],
        [{ keyId: "key-2", calls: 2 }, 0.5, 1],
      ]);
      assert.deepEqual(await read("conversation"), [
        [{ calls: 2 }, 0.5, 1],
        [{ conversationId: "c-1", calls: 3 }, 1.5, 0],
      ]);
      assert.deepEqual(await read("request"), [
        [{ calls: 1 }, undefined, 1],
        [{ requestId: "r-3", calls: 1 }, 0.5, 0],
        [{ conversationId: "c-1", requestId: "r-1", calls: 2 }, 1, 0],
        [{ conversationId: "c-1", requestId: "r-2", calls: 1 }, 0.5, 0],
      ]);
      const call = { api: "openai", atMs: 8_640_000_000, calls: 1 };
      const ended = { ...call, outcome: "completed" };
      assert.deepEqual(await read("call"), [
        [{ ...call, day: 100, callId: "5", model: "m", keyId: "key-2" }, undefined, 1],
        [{ ...ended, ...talk, day: 100, callId: "1", model: "m", keyId: "key-1" }, 0.5, 0],
        [{ ...ended, ...talk, day: 100, callId: "2", model: "n", keyId: "key-2" }, 0.5, 0],
        [{ ...ended, requestId: "r-3", day: 100, callId: "4", model: "m", keyId: "key-1" }, 0.5, 0],
        [{ ...ended, ...talk, requestId: "r-2", day: 101, callId: "3", model: "m", keyId: "key-1" }, 0.5, 0],
      ]);
      for (const group of usageGroups) {
        const sums = await place.store.sums("ada", 0, 1_000, group);
        const sumOf = (of: (sum: UsageSum) => number) => sums.reduce((sum, one) => sum + of(one), 0);
        assert.deepEqual(
          [sumOf((one) => one.calls), sumOf((one) => one.inputTokens), sumOf((one) => one.cost.usd ?? 0)],
          [5, 4 + 10, 2],
          group,
        );
      }
    });

    it("reads every group in pages, with no sum twice and none missing", async () => {
      await using place = await make();
      const count = sumsOfPage + 2;
      for (let index = 0; index < count; index += 1) {
        const names = { keyId: `k${index}`, conversationId: `c${index}`, requestId: `r${index}` };
        const call = callOf({ ...names, model: `m${index}`, day: 100 + index });
        place.store.begin(call);
        place.store.end(call.id, { ...paid(1), outcome: "completed", day: call.day });
      }
      for (const group of usageGroups) {
        const pages = await pagesOf(place.store, 0, 1_000, group);
        assert.deepEqual([group, ...pages.map(({ length }) => length)], [group, sumsOfPage, 2]);
        const places = pages.flat().map((sum) => JSON.stringify(placeOfSum(group, sum)));
        assert.equal(new Set(places).size, count, group);
      }
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
