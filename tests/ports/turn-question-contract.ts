import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConversationStore, TurnQuestion } from "../../src/ports/conversation-store.ts";
import type { TurnLogStore } from "../../src/ports/turn-log.ts";
import { answers, asks } from "./conversations-under-test.ts";
import { terminal, textOf } from "./log-reading.ts";
import { fullItems } from "./stored-samples.ts";

/** The logs and the conversations of one server, both empty. */
export interface QuestionsUnderTest extends AsyncDisposable {
  readonly logs: TurnLogStore;
  readonly conversations: ConversationStore;
}

/** More than any path here has. */
const maxChars = 1_000;

const recordOf = (id: string, conversationId: string, owner = "owner") => ({
  ...{ owner, id, conversationId },
  contentHash: "hash",
});

/** The contract of questions that are stored with the logs of their turns, for every pair of adapters to run. */
export function describeTurnQuestions(name: string, create: () => Promise<QuestionsUnderTest>): void {
  async function open() {
    const under = await create();
    const { conversations, logs } = under;
    const id = await conversations.create("owner");
    const [asked = "", answered = ""] =
      (await conversations.append("owner", id, undefined, [asks("One?"), answers("One.")])) ?? [];
    await conversations.moveHead("owner", id, answered);
    const found = await conversations.headPath("owner", id, maxChars);
    assert.ok(found !== undefined);
    const { path, ...place } = found;
    return {
      ...{ conversations, logs, id, asked, answered, path, under: place },
      /** Creates the log of a new turn with a question. */
      ask: async (request: string, conversationId: string, question: TurnQuestion, owner?: string) =>
        (await logs.create(recordOf(request, conversationId, owner), { isNew: true, question })).type,
      textsOf: async (request: string, conversationId = id) =>
        (await conversations.ofRequest("owner", conversationId, request)).map(({ text }) => text),
      [Symbol.asyncDispose]: () => under[Symbol.asyncDispose](),
    };
  }

  describe(`${name} as the store of questions`, () => {
    it("stores a question with its items", async () => {
      await using at = await open();
      const { conversations, id, under } = at;
      assert.equal(await at.ask("r", id, { id: "q", text: "Hi", items: fullItems, under }), "created");
      const [question] = await conversations.ofRequest("owner", id, "r");
      assert.deepEqual([question?.text, question?.items], ["Hi", fullItems]);
    });

    it("finds a conversation's head and the path to it at once", async () => {
      await using at = await open();
      const { conversations, id, answered, under } = at;
      assert.deepEqual(at.path, await conversations.path("owner", id, answered, maxChars));
      assert.deepEqual([under.messageId, under.pathChars], [answered, 8]);
      const short = await conversations.headPath("owner", id, 5);
      assert.deepEqual(
        short?.path.map(({ text }) => text),
        ["One."],
      );
      assert.equal(short?.pathChars, 8);
      const empty = await conversations.headPath("owner", await conversations.create("owner"), maxChars);
      assert.deepEqual([empty?.messageId, empty?.path, empty?.pathChars], [undefined, [], 0]);
      assert.equal(await conversations.headPath("other", id, maxChars), undefined);
      assert.equal(await conversations.headPath("owner", "unknown", maxChars), undefined);
    });

    it("stores a question under the head, and leaves the head where it is", async () => {
      await using at = await open();
      const { conversations, id, answered, under } = at;
      assert.equal(await at.ask("r", id, { id: "q", text: "Two? 😀", under }), "created");
      assert.deepEqual(await conversations.ofRequest("owner", id, "r"), [
        { ...asks("Two? 😀"), id: "q", parentId: answered, requestId: "r" },
      ]);
      assert.deepEqual(await conversations.head("owner", id), { messageId: answered });
      const path = await conversations.path("owner", id, "q", maxChars);
      assert.deepEqual(
        path?.map(({ pathChars }) => pathChars),
        [4, 8, 15],
      );
      assert.ok((await at.logs.find("owner", "r")) !== undefined);
    });

    it("stores a new conversation with its first question", async () => {
      await using at = await open();
      const { conversations } = at;
      assert.equal(await at.ask("r", "fresh", { id: "q", text: "Well?" }), "created");
      assert.deepEqual(await conversations.ofRequest("owner", "fresh", "r"), [
        { ...asks("Well?"), id: "q", requestId: "r" },
      ]);
      assert.deepEqual(await conversations.head("owner", "fresh"), {});
      assert.equal((await conversations.summary("owner", "fresh"))?.title, "Well?");
      assert.equal(await conversations.head("other", "fresh"), undefined);
    });

    it("stores nothing if the head has moved since it was found, and the same question under the new one", async () => {
      await using at = await open();
      const { conversations, id, asked, under } = at;
      const [other = ""] = (await conversations.append("owner", id, asked, [answers("Other.")])) ?? [];
      await conversations.moveHead("owner", id, other);
      assert.equal(await at.ask("r", id, { id: "q", text: "Two?", under }), "moved");
      assert.deepEqual([await at.logs.find("owner", "r"), await at.textsOf("r")], [undefined, []]);
      const found = await conversations.headPath("owner", id, maxChars);
      assert.ok(found !== undefined);
      const { path: _, ...now } = found;
      assert.equal(await at.ask("r", id, { id: "q", text: "Two?", under: now }), "created");
      const path = await conversations.path("owner", id, "q", maxChars);
      assert.deepEqual(
        path?.map(({ text, pathChars }) => [text, pathChars]),
        [
          ["One?", 4],
          ["Other.", 10],
          ["Two?", 14],
        ],
      );
    });

    it("stores nothing if the conversation is gone", async () => {
      await using at = await open();
      const { conversations, id, under } = at;
      await conversations.remove("owner", id);
      assert.equal(await at.ask("r", id, { id: "q", text: "Two?", under }), "moved");
      assert.equal(await at.logs.find("owner", "r"), undefined);
      assert.equal(await conversations.headPath("owner", id, maxChars), undefined);
    });

    it("lets questions of the same moment branch from the same head", async () => {
      await using at = await open();
      const { conversations, id, answered, under } = at;
      const numbers = Array.from({ length: 20 }, (_, number) => number);
      const types = await Promise.all(
        numbers.map((number) => at.ask(`r${number}`, id, { id: `q${number}`, text: `${number}?`, under })),
      );
      assert.deepEqual(new Set(types), new Set(["created"]));
      for (const number of numbers)
        assert.deepEqual(
          (await conversations.ofRequest("owner", id, `r${number}`)).map(({ parentId }) => parentId),
          [answered],
        );
    });

    it("stores no question of a turn that is there already", async () => {
      await using at = await open();
      const { id, under } = at;
      assert.equal(await at.ask("r", id, { id: "q", text: "Two?", under }), "created");
      assert.equal(await at.ask("r", id, { id: "q2", text: "Again?", under }), "exists");
      assert.deepEqual(await at.textsOf("r"), ["Two?"]);
    });

    it("has the question stored before the first event of its turn", async () => {
      await using at = await open();
      const { logs, id, under } = at;
      const text = "long ".repeat(20_000);
      const created = await logs.create(recordOf("r", id), {
        isNew: true,
        question: { id: "q", text, under },
      });
      assert.ok(created.type === "created");
      await created.log.append([textOf("a"), terminal]);
      assert.deepEqual(await at.textsOf("r"), [text]);
    });
  });
}
