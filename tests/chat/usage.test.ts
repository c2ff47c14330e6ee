import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { costOf, estimateInput, hasUnpricedPart, sumUsage, utf8Bytes } from "../../src/chat/usage.ts";
import { textMessage } from "../../src/ports/item.ts";

const usage = (inputTokens: number, outputTokens: number, estimated = false) => ({
  inputTokens,
  outputTokens,
  totalTokens: inputTokens + outputTokens,
  estimated,
});

describe("estimateInput", () => {
  it("counts a token for every four bytes, rounded up, of everything that a model reads", () => {
    const request = {
      model: "m",
      instructions: "12345",
      input: [textMessage("user", "123"), textMessage("assistant", "1")],
    };
    assert.equal(estimateInput(request), 3);
    assert.equal(estimateInput({ ...request, note: "1234" }), 4);
    assert.equal(estimateInput({ ...request, tools: [{ type: "t" }] }), 6);
    assert.equal(estimateInput({ ...request, options: { instructions: "1234567890", user: undefined } }), 6);
    assert.equal(estimateInput({ model: "m", input: [] }), 0);
  });
});

describe("utf8Bytes", () => {
  it("is the length of every text in UTF-8", () => {
    for (const text of ["", "plain", "äöü", "漢字かな", "😀👩‍👩‍👧", "\ud83d", "a\u0000b"])
      assert.equal(utf8Bytes(text.toWellFormed()), new TextEncoder().encode(text).length, text);
    assert.equal(utf8Bytes("\ud83d") + utf8Bytes("\ude00"), utf8Bytes("😀"));
    const long = "aä漢😀".repeat(200);
    assert.equal(utf8Bytes(long), new TextEncoder().encode(long).length);
    assert.equal(utf8Bytes(`${long}\ud83d`) + utf8Bytes(`\ude00${long}`), utf8Bytes(`${long}😀${long}`));
  });

  it("of 1 MB takes a small part of the time of a walk over its characters", () => {
    const text = "words ".repeat(200_000);
    const walk = () => {
      let bytes = 0;
      for (let index = 0; index < text.length; index += 1) bytes += text.charCodeAt(index) < 0x80 ? 1 : 2;
      return bytes;
    };
    const fastest = (count: () => number) =>
      Math.min(
        ...Array.from({ length: 20 }, () => {
          const startedAtMs = performance.now();
          assert.equal(count(), text.length);
          return performance.now() - startedAtMs;
        }),
      );
    const [walked, counted] = [fastest(walk), fastest(() => utf8Bytes(text))];
    assert.ok(counted < walked / 2, `${counted} ms against ${walked} ms`);
  });
});

describe("the cost of a call", () => {
  const price = { approximate: false, costOf: () => 2, at: () => ({ input: 1, output: 1 }) };

  it("is approximate if its price is, or if a part of it has no price", () => {
    for (const [request, hasMore] of [
      [{}, false],
      [{ tools: [{ type: "function" }, { type: "custom" }], options: { service_tier: "auto" } }, false],
      [{ tools: [{ type: "web_search" }] }, true],
      [{ options: { service_tier: "flex" } }, true],
    ] as const)
      assert.equal(hasUnpricedPart({ model: "m", input: [], ...request }), hasMore);
    assert.deepEqual(costOf(price, usage(1, 1), false), { usd: 2, approximate: false });
    assert.deepEqual(costOf(price, usage(1, 1), true), { usd: 2, approximate: true });
    assert.equal(costOf({ ...price, approximate: true }, usage(1, 1), false)?.approximate, true);
    assert.equal(costOf(undefined, usage(1, 1), false), undefined);
  });
});

describe("sumUsage", () => {
  it("adds up costs, and says if one is approximate or unknown", () => {
    const costing = (usd: number, approximate = false) => ({ ...usage(1, 2), cost: { usd, approximate } });
    const costs = (...usages: Parameters<typeof sumUsage>[0]) => sumUsage(usages)?.cost;
    assert.deepEqual(costs(costing(1), costing(2)), { usd: 3, approximate: false });
    assert.deepEqual(costs(costing(1), costing(2, true)), { usd: 3, approximate: true });
    for (const order of [
      [usage(1, 2), costing(1), costing(2)],
      [costing(1), usage(1, 2), costing(2)],
      [costing(1), costing(2), usage(1, 2)],
    ])
      assert.deepEqual(costs(...order), { usd: 3, approximate: false, partial: true });
    assert.equal(costs(usage(1, 2), usage(1, 2)), undefined);
    // A call that used nothing has no unknown cost.
    assert.deepEqual(costs(usage(0, 0), costing(1), usage(0, 0)), { usd: 1, approximate: false });
    assert.equal(costs(usage(0, 0), usage(1, 2)), undefined);
  });

  it("adds up the parts that are told", () => {
    const parts = { cachedTokens: 1, cacheWriteTokens: 2, reasoningTokens: 3 };
    const sum = sumUsage([{ ...usage(9, 9), ...parts }, usage(1, 1), { ...usage(9, 9), ...parts }]);
    assert.deepEqual(sum, { ...usage(19, 19), cachedTokens: 2, cacheWriteTokens: 4, reasoningTokens: 6 });
  });

  it("adds up the known figures", () => {
    assert.deepEqual(sumUsage([usage(1, 2), undefined, usage(10, 20)]), usage(11, 22));
  });

  it("is estimated as soon as one part is", () => {
    assert.deepEqual(sumUsage([usage(1, 2), usage(1, 1, true)]), usage(2, 3, true));
  });

  it("adds up the tokens from prompt caches, if any vendor reported them", () => {
    const cached = (cachedTokens: number) => ({ ...usage(10, 1), cachedTokens });
    assert.deepEqual(sumUsage([cached(3), usage(1, 1), cached(4)]), { ...usage(21, 3), cachedTokens: 7 });
    assert.deepEqual(sumUsage([usage(1, 1), cached(0)]), { ...usage(11, 2), cachedTokens: 0 });
  });

  it("is unknown if no figure is known", () => {
    assert.equal(sumUsage([undefined, undefined]), undefined);
    assert.equal(sumUsage([]), undefined);
  });
});
