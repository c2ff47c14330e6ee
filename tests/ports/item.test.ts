import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { textMessage, textMessages, textOf, userText } from "../../src/ports/item.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { fullItems } from "./stored-samples.ts";

const texts = ["One.", "Two."].map((text) => ({ type: "text", text }) as const);

describe("items as text", () => {
  it("are paragraphs, except the words of a model, which go on from each other", () => {
    assert.equal(textOf(texts, "user"), "One.\n\nTwo.");
    assert.equal(textOf(texts, "assistant"), "One.Two.");
    assert.equal(
      userText([textMessage("system", "Be."), ...fullItems, textMessage("user", "Ho")]),
      "Hi\n\nHo",
    );
  });

  it("are messages for a provider that takes only text; anything else is refused by its place", () => {
    const words = [
      textMessage("system", "Be."),
      { type: "message", role: "assistant", parts: texts } as const,
    ];
    const aside = fullItems.filter(({ type }) => type === "reasoning" || type === "source");
    assert.deepEqual(textMessages([...words, ...aside]), [
      { role: "system", text: "Be." },
      { role: "assistant", text: "One.Two." },
    ]);
    const rest = fullItems.filter((item) => !aside.includes(item)).slice(1);
    assert.equal(rest.length, 3);
    for (const item of rest)
      assert.throws(
        () => textMessages([...words, item]),
        (error) =>
          error instanceof TroupeError &&
          error.code === "upstream_invalid_request" &&
          error.field === "input.2",
      );
  });
});
