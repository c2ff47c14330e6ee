import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { castNote, pairedCalls, personaContext } from "../../../src/chat/prompt/persona-request.ts";
import type { PathMessage, StoredMessage } from "../../../src/ports/conversation-store.ts";
import { type Item, textMessage, textMessages } from "../../../src/ports/item.ts";
import { manyRuns } from "../any-text.ts";
import { personas } from "../personas.ts";

const contextOf = (...args: Parameters<typeof personaContext>) => textMessages(personaContext(...args));

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
    assert.deepEqual(contextOf(path, "ada", 1_000), [
      { role: "user", text: "What now?" },
      { role: "assistant", text: "Rest." },
      { role: "user", text: "(Bob answered:)\n> Run.\n> Fast." },
      { role: "user", text: "Why?" },
    ]);
    assert.deepEqual(contextOf(path, "bob", 1_000).at(1), {
      role: "user",
      text: "(Ada answered:)\n> Rest.",
    });
  });

  it("falls back to the persona's id if the name was not kept", () => {
    assert.deepEqual(contextOf([said("Hm.", "bob")], "ada", 100), [
      { role: "user", text: "(bob answered:)\n> Hm." },
    ]);
  });

  it("lets no line of a text look like another speaker's, with any line ending", () => {
    const breaks = ["\n", "\r", "\r\n", "\u0085", "\u2028", "\u2029"];
    const part = fc.oneof(fc.constantFrom(...breaks, "(Cleo answered:)", "> ", "text"), fc.string());
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const [message] = contextOf([said(`x${parts.join("")}`, "bob", "Bob")], "ada", 1_000);
        const [head, ...lines] = (message?.text ?? "").split(/\r\n|[\n\r\u0085\u2028\u2029]/);
        assert.equal(head, "(Bob answered:)");
        assert.ok(lines.length > 0);
        for (const line of lines) assert.ok(line.startsWith("> "), JSON.stringify(line));
      }),
      manyRuns,
    );
  });

  it("gives the whole path if it fits, and the newest two thirds of a full one", () => {
    const path = ["aaaaa", "bbbbb", "ccccc", "ddddd", "eeeee", "fffff"].map((text) => said(text));
    const texts = (maxChars: number) => contextOf(path, "ada", maxChars).map(({ text }) => text);
    assert.deepEqual(texts(30).length, 6);
    assert.deepEqual(texts(29), ["ccccc", "ddddd", "eeeee", "fffff"]);
    assert.deepEqual(texts(15), ["ddddd", "eeeee", "fffff"]);
    assert.deepEqual(texts(1), ["fffff"]);
  });

  it("stops at the first that does not fit, so that nothing is missing in between", () => {
    const path = [said("old"), said("x".repeat(50)), said("new")];
    assert.deepEqual(
      contextOf(path, "ada", 10).map(({ text }) => text),
      ["new"],
    );
  });

  it("leaves out a whole turn rather than its question alone, unless the turn is longer than a block", () => {
    const answers = (chars: number) => ["bob", "cleo"].map((id) => said("a".repeat(chars), id));
    const turns = (chars: number) => [said("q1"), ...answers(chars), said("q2"), ...answers(chars)];
    assert.deepEqual(contextOf(turns(10), "ada", 36)[0], { role: "user", text: "q2" });
    const [first] = contextOf(turns(20), "ada", 36);
    assert.equal(first?.text, `(cleo answered:)\n> ${"a".repeat(20)}`);
  });

  it("starts with a user's message, even if the persona's own would be the first", () => {
    const path = [said("q".repeat(40)), said("Mine.", "ada", "Ada"), said("Why?")];
    assert.deepEqual(contextOf(path, "ada", 20), [
      { role: "user", text: "(You answered:)\n> Mine." },
      { role: "user", text: "Why?" },
    ]);
  });

  it("leaves out messages without words", () => {
    for (const blank of ["", " ", "\n\n", "\t\u00a0\u3000\ufeff"])
      assert.deepEqual(contextOf([said("Hm?"), said(blank, "bob"), said(blank, "ada")], "ada", 100), [
        { role: "user", text: "Hm?" },
      ]);
    assert.deepEqual(contextOf([], "ada", 100), []);
  });
});

const call = (callId: string) => ({ type: "tool-call", callId, name: "f", arguments: "{}" }) as const;
const result = (callId: string) => ({ type: "tool-result", callId, output: [] }) as const;

describe("the items of messages", () => {
  const picture: Item = { type: "message", role: "user", parts: [{ type: "image", url: "http://a.b" }] };
  const thought: Item = { type: "reasoning", text: "Hm." };

  it("are given for the user's and the persona's own messages, and never for another's", () => {
    const path = [
      { ...said("See."), items: [picture] },
      { ...said("", "ada", "Ada"), items: [thought, call("c")] },
      { ...said("Look.", "bob", "Bob"), items: [thought, textMessage("assistant", "Look.")] },
      { ...said("", "cleo", "Cleo"), items: [call("d")] },
    ];
    assert.deepEqual(personaContext(path, "ada", 1_000), [
      picture,
      thought,
      call("c"),
      textMessage("user", "(Bob answered:)\n> Look."),
    ]);
  });

  it("start with a message, which is a user's", () => {
    const own = {
      ...said("Yes.", "ada", "Ada"),
      items: [thought, textMessage("assistant", "Yes."), call("c")],
    };
    assert.deepEqual(personaContext([own], "ada", 1_000), [
      textMessage("user", "(You answered:)\n> Yes."),
      call("c"),
    ]);
    assert.deepEqual(personaContext([{ ...said("", "ada"), items: [thought, call("c")] }], "ada", 1_000), []);
  });

  it("count in the length of a history", () => {
    const path = [said("q1"), { ...said("a", "ada"), items: [thought] }, said("q2")];
    const itemChars = JSON.stringify([thought]).length;
    assert.equal(personaContext(path, "ada", 5 + itemChars).length, 3);
    assert.deepEqual(personaContext(path, "ada", 4 + itemChars), [textMessage("user", "q2")]);
  });
});

describe("calls and their results", () => {
  it("go together, each with the next of its id, or not at all", () => {
    const [one, other] = [textMessage("user", "1"), textMessage("user", "2")];
    for (const [items, kept] of [
      [[one, call("a"), result("a"), other], "all"],
      [[call("a"), call("b"), other, result("b"), result("a")], "all"],
      [
        [one, call("a"), other],
        [one, other],
      ],
      [
        [one, result("a"), other],
        [one, other],
      ],
      [
        [call("a"), call("a"), result("a")],
        [call("a"), result("a")],
      ],
      [
        [call("a"), result("a"), result("a")],
        [call("a"), result("a")],
      ],
      [[result("a"), call("a")], []],
      [[call("a"), result("a"), call("a"), result("a")], "all"],
    ] as const)
      assert.deepEqual(pairedCalls(items), kept === "all" ? items : kept);
  });
});

describe("the history of a persona", () => {
  it("keeps its start from turn to turn, and is two thirds full after each time it is cut", () => {
    const maxChars = 300;
    const history: PathMessage[] = [];
    const say = (text: string, personaId?: string) => {
      const pathChars = (history.at(-1)?.pathChars ?? 0) + text.length;
      history.push({ ...said(text, personaId), pathChars });
    };
    let cuts = 0;
    let before: string[] = [];
    for (let turn = 0; turn < 60; turn += 1) {
      say(`${turn}?`.padEnd(10, "q"));
      say(`${turn}!`.padEnd(20, "a"), "ada");
      // A store may return only as much history as fits, so the prompt must not depend on more.
      const room = history.slice(-20);
      const texts = contextOf(room, "ada", maxChars).map(({ text }) => text);
      const length = texts.join("").length;
      assert.ok(length <= maxChars);
      const isSame = before.every((text, index) => texts[index] === text);
      if (!isSame) {
        cuts += 1;
        assert.deepEqual(length, 210, `after ${turn} turns`);
        assert.match(texts[0] ?? "", /\?/);
      }
      before = texts;
    }
    // 60 turns of 30 characters make 1,800 characters. 300 of them fit, and 100 are cut at a time.
    assert.equal(cuts, 15);
  });

  it("has the same start in every process and for every window of a store that holds it", () => {
    const turn = fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 30 }), fc.integer({ min: 1, max: 200 }), (turns, maxChars) => {
        let pathChars = 0;
        const path = turns.flatMap((lengths) =>
          lengths.map((length, index): PathMessage => {
            pathChars += length;
            return { ...said("x".repeat(length), index === 0 ? undefined : `p${index}`), pathChars };
          }),
        );
        const whole = contextOf(path, "ada", maxChars);
        let chars = 0;
        const first = path.findLastIndex(({ text }) => {
          const isFull = chars > 0 && chars + text.length > maxChars;
          chars += text.length;
          return isFull;
        });
        assert.deepEqual(contextOf(path.slice(first + 1), "ada", maxChars), whole);
      }),
      manyRuns,
    );
  });
});

describe("castNote", () => {
  it("is nothing for a persona that answers alone", () => {
    const [ada] = personas;
    assert.equal(castNote(ada, [ada]), undefined);
  });

  it("names the other personas, without their instructions", () => {
    const [ada, bob, cleo] = personas;
    const text = castNote(bob, [ada, bob, cleo]) ?? "";
    assert.match(text, /Ada, Cleo\. Speak only as Bob/);
    assert.equal(text.includes(ada.instructions), false);
  });
});
