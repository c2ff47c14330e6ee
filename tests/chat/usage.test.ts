import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { estimateInput, sumUsage, utf8Bytes } from "../../src/chat/usage.ts";

const usage = (inputTokens: number, outputTokens: number, estimated = false) => ({
  inputTokens,
  outputTokens,
  totalTokens: inputTokens + outputTokens,
  estimated,
});

describe("estimateInput", () => {
  it("counts a token for every four bytes begun, of all that a model reads", () => {
    const request = {
      model: "m",
      instructions: "12345",
      messages: [
        { role: "user" as const, text: "123" },
        { role: "assistant" as const, text: "1" },
      ],
    };
    assert.equal(estimateInput(request), 3);
    assert.equal(estimateInput({ ...request, tools: [{ type: "t" }] }), 6);
    assert.equal(estimateInput({ ...request, options: { instructions: "1234567890", user: undefined } }), 6);
    assert.equal(estimateInput({ model: "m", messages: [] }), 0);
  });
});

describe("utf8Bytes", () => {
  it("is the length of every text in UTF-8", () => {
    for (const text of ["", "plain", "äöü", "漢字かな", "😀👩‍👩‍👧", "\ud83d", "a\u0000b"])
      assert.equal(utf8Bytes(text.toWellFormed()), new TextEncoder().encode(text).length, text);
    assert.equal(utf8Bytes("\ud83d") + utf8Bytes("\ude00"), utf8Bytes("😀"));
  });
});

describe("sumUsage", () => {
  it("adds up what is known", () => {
    assert.deepEqual(sumUsage([usage(1, 2), undefined, usage(10, 20)]), usage(11, 22));
  });

  it("is estimated as soon as one part is", () => {
    assert.deepEqual(sumUsage([usage(1, 2), usage(1, 1, true)]), usage(2, 3, true));
  });

  it("is unknown where nothing is known", () => {
    assert.equal(sumUsage([undefined, undefined]), undefined);
    assert.equal(sumUsage([]), undefined);
  });
});
