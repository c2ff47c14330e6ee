import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { estimateUsage, sumUsage } from "../../src/chat/usage.ts";

const usage = (inputTokens: number, outputTokens: number, estimated = false) => ({
  inputTokens,
  outputTokens,
  totalTokens: inputTokens + outputTokens,
  estimated,
});

describe("estimateUsage", () => {
  it("counts a token for every four characters begun, instructions included", () => {
    const request = {
      model: "m",
      instructions: "12345",
      messages: [
        { role: "user" as const, text: "123" },
        { role: "assistant" as const, text: "1" },
      ],
    };
    assert.deepEqual(estimateUsage(request, "12345"), usage(3, 2, true));
  });

  it("says nothing was used by nothing", () => {
    assert.deepEqual(estimateUsage({ model: "m", messages: [] }, ""), usage(0, 0, true));
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
