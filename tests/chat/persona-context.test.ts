import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { personaContext, personaInstructions } from "../../src/chat/persona-context.ts";
import type { StoredMessage } from "../../src/ports/conversation-store.ts";
import { manyRuns } from "./any-text.ts";
import { personas } from "./personas.ts";

let ids = 0;

function said(text: string, personaId?: string, personaName?: string): StoredMessage {
  ids += 1;
  const speaker = personaId === undefined ? {} : { personaId };
  const name = personaName === undefined ? {} : { personaName };
  const role = personaId === undefined ? "user" : "assistant";
  return { id: `m${ids}`, role, text, status: "completed", ...speaker, ...name };
}

describe("personaContext", () => {
  it("gives a persona its own lines as its own, and everyone else's quoted under their names", () => {
    const path = [
      said("What now?"),
      said("Rest.", "ada", "Ada"),
      said("Run.\nFast.", "bob", "Bob"),
      said("Why?"),
    ];
    assert.deepEqual(personaContext(path, "ada", 1_000), [
      { role: "user", text: "What now?" },
      { role: "assistant", text: "Rest." },
      { role: "user", text: "(Bob answered:)\n> Run.\n> Fast." },
      { role: "user", text: "Why?" },
    ]);
    assert.deepEqual(personaContext(path, "bob", 1_000).at(1), {
      role: "user",
      text: "(Ada answered:)\n> Rest.",
    });
  });

  it("falls back to the persona's id where the name was not kept", () => {
    assert.deepEqual(personaContext([said("Hm.", "bob")], "ada", 100), [
      { role: "user", text: "(bob answered:)\n> Hm." },
    ]);
  });

  it("lets no line of a text pass for another speaker's, whatever ends the line", () => {
    const breaks = ["\n", "\r", "\r\n", "\u0085", "\u2028", "\u2029"];
    const part = fc.oneof(fc.constantFrom(...breaks, "(Cleo answered:)", "> ", "text"), fc.string());
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const [message] = personaContext([said(`x${parts.join("")}`, "bob", "Bob")], "ada", 1_000);
        const [head, ...lines] = (message?.text ?? "").split(/\r\n|[\n\r\u0085\u2028\u2029]/);
        assert.equal(head, "(Bob answered:)");
        assert.ok(lines.length > 0);
        for (const line of lines) assert.ok(line.startsWith("> "), JSON.stringify(line));
      }),
      manyRuns,
    );
  });

  it("gives the newest messages that fit, whole ones, in their order", () => {
    const path = ["aaaaa", "bbbbb", "ccccc", "ddddd"].map((text) => said(text));
    const texts = (mostChars: number) => personaContext(path, "ada", mostChars).map(({ text }) => text);
    assert.deepEqual(texts(20), ["aaaaa", "bbbbb", "ccccc", "ddddd"]);
    assert.deepEqual(texts(19), ["bbbbb", "ccccc", "ddddd"]);
    assert.deepEqual(texts(10), ["ccccc", "ddddd"]);
    assert.deepEqual(texts(1), ["ddddd"]);
  });

  it("stops at the first that does not fit, so that nothing is missing in between", () => {
    const path = [said("old"), said("x".repeat(50)), said("new")];
    assert.deepEqual(
      personaContext(path, "ada", 10).map(({ text }) => text),
      ["new"],
    );
  });

  it("leaves out what has no text", () => {
    assert.deepEqual(personaContext([said("Hm?"), said("", "bob", "Bob")], "ada", 100), [
      { role: "user", text: "Hm?" },
    ]);
    assert.deepEqual(personaContext([], "ada", 100), []);
  });
});

describe("personaInstructions", () => {
  it("are the persona's own where it answers alone", () => {
    const [ada] = personas;
    assert.equal(personaInstructions(ada, [ada]), ada.instructions);
  });

  it("begin with the persona's own and name the others", () => {
    const [ada, bob, cleo] = personas;
    const text = personaInstructions(bob, [ada, bob, cleo]);
    assert.ok(text.startsWith(`${bob.instructions}\n\n`));
    assert.match(text, /Ada, Cleo/);
    assert.equal(text.includes(ada.instructions), false);
  });
});
