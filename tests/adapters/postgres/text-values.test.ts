import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeText, encodeText, nullValue, separator } from "../../../src/adapters/postgres/text-values.ts";

const oddText = fc.string({ unit: fc.constantFrom("\u0000", "\u001a", "\u001e", "0", "a", "e", "é", "😀") });

test("text is stored without the characters that the database or a beat cannot hold, and read back whole", () => {
  fc.assert(
    fc.property(oddText, (text) => {
      const stored = encodeText(text);
      assert.ok(!stored.includes("\u0000") && !stored.includes(separator));
      assert.notEqual(stored, nullValue);
      assert.equal(decodeText(stored), text);
    }),
  );
});

test("two texts are stored alike only if they are the same", () => {
  fc.assert(
    fc.property(oddText, oddText, (one, other) => {
      assert.equal(encodeText(one) === encodeText(other), one === other);
    }),
  );
});
