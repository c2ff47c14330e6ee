import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maskRequestTexts, textsIn } from "../../../src/adapters/upstream/secret-mask.ts";

describe("a vendor's message", () => {
  it("removes every word of the request, and the text between two of them", () => {
    for (const [message, texts, expected] of [
      ["Invalid value: 'my, secret - question'.", ["My secret question"], "Invalid value: '[text]'."],
      ["The model does not exist.", ["hi"], "The model does not exist."],
      ["This is hi", ["hi"], "This is [text]"],
      ["Bad: my%20secret", ["secret my"], "Bad: [text]"],
      ["错误：海洋", ["海洋是密码"], "错误：[text]"],
      ["Bad: 4711", [String(4711)], "Bad: [text]"],
      ["Nothing to hide", [], "Nothing to hide"],
    ] as const)
      assert.equal(maskRequestTexts(message, texts), expected);
  });

  it("is cut to 300 characters, never inside a word", () => {
    assert.equal(maskRequestTexts(`${"a b ".repeat(74)}abcdefgh`, []), `${"a b ".repeat(74)}…`);
    assert.equal(maskRequestTexts("x".repeat(1_000_000), ["y".repeat(1_000_000)]), "…");
  });
});

it("the texts of a request are its values, and names that the client gave", () => {
  const tool = {
    type: "function",
    parameters: { type: "object", properties: { secret_field: { maximum: 7 } } },
  };
  assert.deepEqual(textsIn([tool, { metadata: { swordfish: "v" } }]), [
    "function",
    "object",
    "secret_field",
    "7",
    "swordfish",
    "v",
  ]);
});
