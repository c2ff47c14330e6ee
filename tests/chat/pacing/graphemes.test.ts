import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { chunkEnd, settledLength } from "../../../src/chat/pacing/text-queue.ts";
import {
  anyBrokenText,
  anyPieces,
  anyText,
  boundaries,
  clusterAt,
  isBoundary,
  manyRuns,
} from "../any-text.ts";

const codePoints = (text: string) => [...text].length;
const anySize = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constantFrom(4_096, Number.MAX_SAFE_INTEGER));

describe("chunkEnd", () => {
  it("leaves at least one and at most the allowed code points before it, and cuts no surrogate pair", () => {
    fc.assert(
      fc.property(anyBrokenText, anySize, (text, size) => {
        fc.pre(text !== "");
        const chunk = text.slice(0, chunkEnd(text, size));
        assert.ok(chunk.length > 0);
        assert.ok(codePoints(chunk) <= size);
        const isInsidePair =
          /[\ud800-\udbff]$/.test(chunk) && /^[\udc00-\udfff]/.test(text.slice(chunk.length));
        assert.equal(isInsidePair, false);
      }),
      manyRuns,
    );
  });

  it("cuts a cluster only if it is longer than a chunk by itself", () => {
    fc.assert(
      fc.property(anyText, anySize, (text, size) => {
        const end = chunkEnd(text, size);
        assert.ok(isBoundary(text, end) || codePoints(clusterAt(text, end)) > size);
      }),
      manyRuns,
    );
  });

  it("takes as many whole clusters as fit", () => {
    fc.assert(
      fc.property(anyText, anySize, (text, size) => {
        const end = chunkEnd(text, size);
        const next = [...boundaries(text), text.length].find((at) => at > end) ?? text.length;
        assert.ok(end === text.length || codePoints(text.slice(0, next)) > size);
      }),
      manyRuns,
    );
  });

  const cases = [
    { text: "abcdef", size: 3, chunk: "abc" },
    { text: "abc\u0301def", size: 3, chunk: "ab" },
    { text: "ab\r\ncd", size: 3, chunk: "ab" },
    { text: "ab1\ufe0f\u20e3", size: 4, chunk: "ab" },
    { text: "a👨‍👩‍👧‍👦b", size: 7, chunk: "a" },
    { text: "👨‍👩‍👧‍👦b", size: 7, chunk: "👨‍👩‍👧‍👦" },
    { text: "👨‍👩‍👧‍👦b", size: 4, chunk: "👨‍👩‍" },
    { text: "🇩🇪🇫🇷", size: 3, chunk: "🇩🇪" },
    { text: "😀😀", size: 1, chunk: "😀" },
    { text: "\ud83d\ud83d", size: 1, chunk: "\ud83d" },
  ] as const;
  for (const { text, size, chunk } of cases) {
    it(`cuts ${JSON.stringify(text)} to ${size} as ${JSON.stringify(chunk)}`, () => {
      assert.equal(text.slice(0, chunkEnd(text, size)), chunk);
    });
  }
});

describe("settledLength", () => {
  it("is a boundary with any text after it", () => {
    fc.assert(
      fc.property(anyPieces(anyBrokenText), (pieces) => {
        const whole = pieces.join("");
        let came = 0;
        for (const piece of pieces) {
          came += piece.length;
          const settled = settledLength(whole.slice(0, came));
          assert.ok(settled >= 0 && settled <= came);
          assert.ok(came === whole.length || isBoundary(whole, settled), `cut at ${settled} of ${came}`);
        }
      }),
      manyRuns,
    );
  });

  it("holds back no more than the last cluster, and of that no more than 64 code units", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const held = text.slice(settledLength(text));
        assert.ok(held === "" || held === clusterAt(text, text.length - 1));
        assert.ok(held.length <= 64);
      }),
      manyRuns,
    );
  });

  const cases = [
    { text: "", held: "" },
    { text: "plain", held: "" },
    { text: "line\n", held: "" },
    { text: "line\r", held: "\r" },
    { text: "step 1", held: "1" },
    { text: "see #", held: "#" },
    { text: "the *", held: "*" },
    { text: "雨", held: "雨" },
    { text: "a 👩‍", held: "👩‍" },
    { text: "🇩🇪🇫", held: "🇫" },
    { text: "half \ud83d", held: "\ud83d" },
    { text: `e${"\u0301".repeat(100)}`, held: "" },
    { text: `${"🇩🇪".repeat(40)}🇫`, held: "🇫" },
    { text: "🇩🇪".repeat(40), held: "🇩🇪" },
  ] as const;
  for (const { text, held } of cases) {
    it(`holds ${JSON.stringify(held)} of ${JSON.stringify(text.slice(-16))} back`, () => {
      assert.equal(text.slice(settledLength(text)), held);
    });
  }
});
