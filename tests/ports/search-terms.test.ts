import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { excerptOf, matchesTerms, searchTerms } from "../../src/ports/search-terms.ts";

/** The result of a generator, and its number of steps. */
function run<T>(steps: Generator<undefined, T>): { value: T; steps: number } {
  for (let count = 0; ; count += 1) {
    const { done, value } = steps.next();
    if (done === true) return { value: value as T, steps: count };
  }
}

const million = 1_000_000;
/** Texts that would cost a careless search the most. */
const crafted: Readonly<Record<string, string>> = {
  "marks that change places": "a\u0301\u0323".concat("\u0301\u0323".repeat(million / 2)),
  "near matches": "xneedle".repeat(million / 7),
  "letters that fall apart": "ế".repeat(million),
  "no space at all": "x".repeat(million),
  "nothing but spaces": " ".repeat(million),
  "halves of characters": "\ud835".repeat(million),
};

describe("looking for words", () => {
  for (const [name, text] of Object.entries(crafted)) {
    it(`takes one step for 15,000 characters of ${name}`, () => {
      const { value, steps } = run(matchesTerms(text, searchTerms("needle pin")));
      assert.equal(value, false);
      assert.ok(steps <= text.length / 15_000 + 1 && steps >= text.length / 16_384, `${steps}`);
      const excerpt = run(excerptOf(text, "needle"));
      assert.ok(excerpt.steps <= 4, `${excerpt.steps}`);
      assert.ok(excerpt.value.length <= 182);
    });
  }

  it("puts no long row of marks in order, which takes the square of its length", (test) => {
    const { normalize } = String.prototype;
    let longestRow = 0;
    test.mock.method(String.prototype, "normalize", function (this: string, form?: string) {
      for (const [row] of this.matchAll(/\p{M}+/gu)) longestRow = Math.max(longestRow, row.length);
      return normalize.call(this, form);
    });
    const text = crafted["marks that change places"] ?? "";
    run(matchesTerms(text, searchTerms("needle")));
    run(excerptOf(text, "needle"));
    assert.ok(longestRow <= 16, `${longestRow}`);
  });

  it("finds sequences across the ends of its steps", () => {
    for (let before = 16_370; before < 16_390; before += 1) {
      const text = `${"x".repeat(before - 1)} well - known fact`;
      assert.equal(run(matchesTerms(text, searchTerms("well-known"))).value, true, `${before}`);
      assert.equal(run(matchesTerms(text, searchTerms("known-well"))).value, false);
      assert.match(run(excerptOf(text, "known")).value, /well - known fact$/);
    }
  });
});
