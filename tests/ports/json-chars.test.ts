import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { jsonChars } from "../../src/ports/json.ts";

describe("the length of a value as JSON", () => {
  it("is the length of its text for strings, names and brackets", () => {
    for (const value of ["", "words", ["one", "two"], { name: "value", list: [[], {}] }]) {
      const { length } = JSON.stringify(value);
      assert.ok(Math.abs(jsonChars(value) - length) <= 4, JSON.stringify(value));
    }
  });

  it("leaves out the fields that JSON leaves out", () => {
    assert.equal(jsonChars({ kept: "x", missing: undefined }), jsonChars({ kept: "x" }));
  });

  it("is never less than the characters of all strings in it", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (texts) => {
        const nested = texts.reduce<unknown>((rest, text) => ({ [text]: [text, rest] }), null);
        assert.ok(jsonChars(nested) >= 2 * texts.join("").length);
      }),
    );
  });

  it("makes no text of a long string", () => {
    const text = "\u0000".repeat(1_000_000);
    assert.ok(jsonChars({ text }) < 1.1 * text.length, "six times as long if it is made");
  });
});
