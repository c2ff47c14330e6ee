import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Persona } from "../../src/ports/persona.ts";
import { answer } from "../doubles/answer.ts";
import { httpError, streamHead, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type RecordedRequest } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

interface Body {
  readonly instructions?: string;
  readonly input: string | readonly Record<string, unknown>[];
}

/** Why a strict server or its model's chat template would answer 400; `undefined` if none would. */
function whyRefused({ instructions, input }: Body): string | undefined {
  if (instructions?.trim() === "") return "The system message has no words.";
  if (typeof input === "string") return input.trim() === "" ? "The input has no words." : undefined;
  let before: unknown = "assistant";
  for (const { type, role, content, ...rest } of input) {
    if (type !== "message") return "Cannot determine type of 'item'";
    if (Object.keys(rest).length > 0) return `Unknown field ${Object.keys(rest)}`;
    if (typeof content !== "string") return "content must be a string";
    if (content.trim() === "") return "text content must contain non-whitespace text";
    if (role !== "user" && role !== "assistant") return `Unknown role ${role}`;
    if (role === before) return "Conversation roles must alternate user/assistant/user/assistant/...";
    before = role;
  }
  return before === "user" ? undefined : "The last message must be the user's.";
}

/** A text, or the call's fate instead. */
type Said = { readonly text: string } | "fails" | "hangs";

/** Starts a server whose personas say the words that `words` gives for each name. */
async function startStrict(words: (persona: string, turn: number) => Said, contextChars = 60_000) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  let turn = 0;
  const complaints: string[] = [];
  upstream.respond(({ body }) => {
    const complaint = whyRefused(body as Body);
    if (complaint !== undefined) complaints.push(complaint);
    const name = /You are (\w+)/.exec((body as Body).instructions ?? "")?.[1] ?? "";
    const said = words(name, turn);
    if (said === "fails") return httpError(404, { message: "No.", type: "x", code: "model_not_found" });
    return said === "hangs" ? [streamHead(), { hang: true }] : streamScript(answer({ deltas: [said.text] }));
  });
  const personas = ["ada", "bob", "cleo"].map(
    (id): Persona => ({ id, name: id, description: id, instructions: `You are ${id}.` }),
  );
  const server = stack.use(
    await startTroupe({
      ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, personas, contextChars },
      clock: createTestClock({ instantMs: 1_000 }),
    }),
  );
  const client = await server.connect();
  return {
    upstream,
    complaints,
    /** Asks, and cancels the answers that never come. */
    async ask(...persona_ids: string[]) {
      turn += 1;
      const message = `Question ${turn}?`;
      const id = `turn-${turn}`;
      const isOne = persona_ids.length === 1;
      client.send({
        ...{ type: isOne ? "chat" : "multi_chat", id },
        data: { message, ...(isOne ? { persona_id: persona_ids[0] } : { persona_ids }) },
      });
      for (const persona_id of persona_ids.filter((name) => words(name, turn) === "hangs")) {
        await client.next(
          (told) =>
            told.type === "status" &&
            told.status === "processing" &&
            (told.persona_id ?? persona_id) === persona_id &&
            told.request_id === id,
        );
        client.send({ type: "cancel", data: { request_id: id, persona_id } });
      }
      await client.untilTerminal(id);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const saying = (text: string): Said => ({ text });
const fine = (name: string, turn: number): Said => saying(`${name} says ${turn}.`);
/** Replaces a persona's answer in the chosen turns, by default in all. */
const but =
  (who: string, said: Said, isThen = (_turn: number) => true) =>
  (name: string, turn: number): Said =>
    (who === name || who === "all") && isThen(turn) ? said : fine(name, turn);
const isOdd = (turn: number) => turn % 2 === 1;
const all = ["ada", "bob", "cleo"];

/** Conversations: the personas asked in each turn, and their words. */
const conversations: readonly (readonly [string, readonly (readonly string[])[], typeof fine])[] = [
  ["one persona, again and again", [["ada"], ["ada"], ["ada"], ["ada"]], fine],
  ["several, again and again", [all, all, all, all], fine],
  ["one and then several", [["ada"], all, ["ada"], all], fine],
  ["each after the other", [["ada"], ["bob"], ["cleo"], ["ada"]], fine],
  ["one that joins late", [["ada", "bob"], ["ada", "bob"], ["cleo"], ["cleo"]], fine],
  ["other casts each time", [["ada", "bob"], ["bob", "cleo"], ["cleo", "ada"], all], fine],
  ["one that always fails", [all, all, all], but("bob", "fails")],
  ["all fail at times", [all, all, all, all], but("all", "fails", isOdd)],
  ["one alone that fails", [["ada"], ["ada"], ["ada"]], but("ada", "fails", isOdd)],
  ["one that is stopped before its first word", [all, all, all], but("bob", "hangs", isOdd)],
  ["one alone that is stopped", [["ada"], ["ada"], ["ada"]], but("ada", "hangs", isOdd)],
  ["answers of white space", [all, all, ["ada"]], but("ada", saying(" \n "))],
  ["answers of white space alone", [["ada"], ["ada"]], but("ada", saying("\u00a0\n\u3000"))],
  ["answers that look like turns", [all, all, all], () => saying("(ada answered:)\n> x\n\nuser: y")],
  ["answers longer than the history", [all, all, all], () => saying("long ".repeat(40))],
];

describe("a strict server with a chat template accepts every request", () => {
  for (const [name, turns, words] of conversations)
    for (const contextChars of [60_000, 60])
      it(`${name}, ${contextChars === 60 ? "with room for little of the history" : "with room for the history"}`, async () => {
        await using strict = await startStrict(words, contextChars);
        for (const personas of turns) await strict.ask(...personas);
        assert.deepEqual(strict.complaints, []);
        assert.ok(strict.upstream.calls >= turns.flat().length);
        const last = strict.upstream.requests.at(-1) as RecordedRequest;
        const { input } = last.body as Body;
        const content = String((input as readonly { content: string }[]).at(-1)?.content);
        assert.match(content, new RegExp(`(^|\\n\\n)Question ${turns.length}\\?(\\n\\n<note>|$)`));
      });

  it("the judge refuses the same requests as such servers", () => {
    const item = (role: string, content: unknown) => ({ type: "message", role, content });
    for (const [input, why] of [
      [[item("user", "a"), { role: "assistant", content: "b" }], /Cannot determine type/],
      [[item("user", "a"), item("user", "b")], /alternate/],
      [[item("assistant", "a"), item("user", "b")], /alternate/],
      [[item("user", "a"), item("assistant", "b")], /last/],
      [[item("user", " ")], /non-whitespace/],
      [[item("user", [{ type: "input_text", text: "a" }])], /string/],
    ] as const)
      assert.match(whyRefused({ input }) ?? "", why);
    assert.equal(
      whyRefused({ input: [item("user", "a"), item("assistant", "b"), item("user", "c")] }),
      undefined,
    );
  });
});
