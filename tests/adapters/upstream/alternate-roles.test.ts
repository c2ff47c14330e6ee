import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { alternateRoles } from "../../../src/adapters/upstream/sent-items.ts";
import { textMessage, textMessages } from "../../../src/ports/item.ts";

const user = (text: string) => textMessage("user", text);
const assistant = (text: string) => textMessage("assistant", text);

describe("alternateRoles", () => {
  it("joins neighbours of one role by an empty line", () => {
    assert.deepEqual(alternateRoles([user("a"), user("b"), assistant("c"), assistant("d"), user("e")]), [
      user("a\n\nb"),
      assistant("c\n\nd"),
      user("e"),
    ]);
  });

  it("leaves out messages without words, and joins the neighbours that they separated", () => {
    for (const blank of ["", " ", "\n", "\t\u00a0\u3000\ufeff"])
      assert.deepEqual(alternateRoles([user("a"), assistant(blank), user("b"), user(blank)]), [
        user("a\n\nb"),
      ]);
  });

  it("joins parts, and leaves other items where they are", () => {
    const picture = { type: "image", url: "http://a.b" } as const;
    const call = { type: "tool-call", callId: "c", name: "f", arguments: "{}" } as const;
    const state = { providerState: { provider: "p", state: {} } };
    const shown = { type: "message", role: "user", parts: [picture] } as const;
    assert.deepEqual(
      alternateRoles([{ ...user("a"), ...state }, shown, user(" "), call, { ...user("b"), ...state }]),
      [
        { type: "message", role: "user", parts: [{ type: "text", text: "a" }, picture] },
        call,
        { ...user("b"), ...state },
      ],
    );
  });

  it("puts a note at the end, after the question", () => {
    assert.deepEqual(alternateRoles([user("a"), assistant("b"), user("c")], "Be short.").at(-1), {
      ...user("c\n\n<note>Be short.</note>"),
    });
  });

  it("keeps every word in its order, and never has two of one role beside each other", () => {
    const message = fc.record({
      role: fc.constantFrom("user" as const, "assistant" as const),
      text: fc.oneof(fc.constantFrom("", " ", "\n"), fc.string()),
    });
    fc.assert(
      fc.property(fc.array(message), (messages) => {
        const input = messages.map(({ role, text }) => textMessage(role, text));
        const joined = textMessages(alternateRoles(input));
        for (const [index, { role, text }] of joined.entries()) {
          assert.notEqual(role, joined[index - 1]?.role);
          assert.notEqual(text.trim(), "");
        }
        const wordsOf = (of: readonly { readonly text: string }[]) =>
          of.flatMap(({ text }) => text.split(/\s+/u)).filter((word) => word !== "");
        assert.deepEqual(wordsOf(joined), wordsOf(messages));
      }),
    );
  });
});
