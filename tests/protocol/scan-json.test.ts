import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { surveyJson } from "../../src/protocol/decode.ts";
import { processorTimeOf } from "../support/processor-time.ts";

/** The same figures, counted in the result of `JSON.parse`. */
function surveyOf(value: unknown): { depth: number; values: number; members: number } {
  if (typeof value !== "object" || value === null) return { depth: 0, values: 0, members: 0 };
  const children: unknown[] = Object.values(value);
  const below = children.map(surveyOf);
  return {
    depth: 1 + Math.max(0, ...below.map(({ depth }) => depth)),
    values: children.length + below.reduce((sum, { values }) => sum + values, 0),
    members: Math.max(Array.isArray(value) ? 0 : children.length, ...below.map(({ members }) => members)),
  };
}

describe("the survey of a JSON text", () => {
  it("counts the content of the text, in any notation", () => {
    const property = fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), (value, space) => {
      const { depth, values, members } = surveyJson(JSON.stringify(value, null, space));
      assert.deepEqual({ depth, values, members }, surveyOf(value));
    });
    fc.assert(property, { seed: 20_261_129, numRuns: 1_000 });
  });

  it("finds the end of long strings, with any characters before their quotes", () => {
    const piece = fc.constantFrom("\\", '"', "a".repeat(63), "a".repeat(64), "a", "é", "日".repeat(70));
    const property = fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const { values } = surveyJson(JSON.stringify([pieces.join(""), pieces.join("x")]));
      assert.equal(values, 2);
    });
    fc.assert(property, { seed: 20_261_129, numRuns: 2_000 });
  });

  it("finds the outermost type and id, the last of each, if they are short strings", () => {
    const texts: readonly (readonly [text: string, type?: string | undefined, id?: string])[] = [
      ['{"type":"chat","id":"a"}', "chat", "a"],
      [String.raw` { "id" : "a\"b" , "data":{"id":"no","type":"no"}, "type":"\u0070ing" } `, "ping", 'a"b'],
      ['{"id":"a","id":"b","type":"c","type":7}', undefined, "b"],
      [`{"type":"${"x".repeat(129)}","id":["a"]}`],
      ['["type","id"]'],
      [String.raw`{"type":"\x","id":"a`],
      ["}{:,"],
      [""],
    ];
    for (const [text, type, id] of texts) {
      const survey = surveyJson(text);
      assert.deepEqual([survey.type, survey.id], [type, id], text.slice(0, 60));
    }
  });

  it("takes time in proportion to the text, with any content", async () => {
    const units = [
      ":",
      ",",
      '"',
      '"":',
      '"id":',
      '"id":"a",',
      String.raw`"\x":`,
      "[",
      "{",
      "{}",
      "]",
      "\\",
      " ",
    ];
    const cost = (unit: string, chars: number) => {
      const text = `{${unit.repeat(chars / unit.length)}`;
      return processorTimeOf(() => surveyJson(text), 40);
    };
    const plain = await cost("x", 1_000_000);
    for (const unit of units) {
      const long = await cost(unit, 1_000_000);
      assert.ok(long < 40 * plain, `${JSON.stringify(unit)}: ${long} us, the plain text ${plain} us`);
    }
  });
});
