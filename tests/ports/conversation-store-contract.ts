import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeListing } from "./conversation-listing-contract.ts";
import { describeReading } from "./conversation-reading-contract.ts";
import { describeRequests } from "./conversation-requests-contract.ts";
import { describeSearch } from "./conversation-search-contract.ts";
import { answers, asks, type ConversationsUnderTest } from "./conversations-under-test.ts";
import { fullItems } from "./stored-samples.ts";

/** More than any path here has. */
const maxChars = 1_000;

/** The contract of `ConversationStore`, for every adapter to run. */
export function describeConversationStore(name: string, create: () => Promise<ConversationsUnderTest>): void {
  describeListing(name, create);
  describeReading(name, create);
  describeRequests(name, create);
  describeSearch(name, create);

  describe(`${name} as the store of conversations`, () => {
    it("makes empty conversations with distinct ids", async () => {
      await using under = await create();
      const { store } = under;
      const ids = await Promise.all([store.create("owner"), store.create("owner"), store.create("other")]);
      assert.equal(new Set(ids).size, 3);
      assert.deepEqual(await store.head("owner", ids[0]), {});
    });

    it("makes one under an id that is given", async () => {
      await using under = await create();
      const { store } = under;
      assert.equal(await store.head("owner", "mine"), undefined);
      assert.equal(await store.create("owner", "mine"), "mine");
      assert.deepEqual(await store.head("owner", "mine"), {});
      assert.equal(await store.head("other", "mine"), undefined);
    });

    it("counts the characters of a path from its root on, on each branch and also for parts left out", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const [root, left] = (await store.append("owner", id, undefined, [asks("12345"), answers("")])) ?? [];
      const [right] = (await store.append("owner", id, root, [answers("😀")])) ?? [];
      const [leaf = ""] = (await store.append("owner", id, left, [asks("123")])) ?? [];
      const counts = async (messageId = "", chars = 100) =>
        (await store.path("owner", id, messageId, chars))?.map(({ pathChars }) => pathChars);
      assert.deepEqual(await counts(leaf), [5, 5, 8]);
      assert.deepEqual(await counts(right), [5, 7]);
      assert.deepEqual(await counts(leaf, 3), [5, 8]);
      assert.deepEqual((await counts(right, 0))?.at(-1), 7);
    });

    it("stores messages as a chain after their parent and returns their ids in order", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const [question = ""] = (await store.append("owner", id, undefined, [asks("One?")])) ?? [];
      const ids = (await store.append("owner", id, question, [answers("One."), answers("Two. 😀")])) ?? [];
      assert.equal(new Set([question, ...ids]).size, 3);
      assert.deepEqual(await store.path("owner", id, ids[1] ?? "", maxChars), [
        { ...asks("One?"), id: question, pathChars: 4 },
        { ...answers("One."), id: ids[0], parentId: question, pathChars: 8 },
        { ...answers("Two. 😀"), id: ids[1], parentId: ids[0], pathChars: 15 },
      ]);
      assert.deepEqual(await store.append("owner", id, ids[1], []), []);
    });

    it("keeps the items of a message, and counts them in its path", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const question = { ...asks("Hi"), items: fullItems, requestId: "r" };
      const call = { type: "tool-call", callId: "c", name: "f", arguments: "{}" } as const;
      const reply = { ...answers(""), items: [call], requestId: "r" };
      const [asked = "", replied = ""] =
        (await store.append("owner", id, undefined, [question, reply])) ?? [];
      await store.moveHead("owner", id, replied);
      const [askedChars, repliedChars] = [fullItems, [call]].map((items) => JSON.stringify(items).length);
      const first = { ...question, id: asked };
      const second = { ...reply, id: replied, parentId: asked };
      const pathChars = 2 + Number(askedChars);
      const whole = [
        { ...first, pathChars },
        { ...second, pathChars: pathChars + Number(repliedChars) },
      ];
      assert.deepEqual((await store.headPath("owner", id, 100_000))?.path, whole);
      assert.deepEqual(await store.path("owner", id, replied, 100_000), whole);
      assert.deepEqual(await store.path("owner", id, replied, pathChars), whole.slice(1));
      assert.deepEqual(await store.ofRequest("owner", id, "r"), [first, second]);
      const page = await store.messages("owner", id, 100_000);
      assert.deepEqual(
        page?.pieces.map(({ message }) => ["items" in message, message.text]),
        [
          [false, "Hi"],
          [false, ""],
        ],
      );
    });

    it("moves its head only when told", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const [first = "", second = ""] =
        (await store.append("owner", id, undefined, [asks("One?"), answers("One.")])) ?? [];
      assert.deepEqual(await store.head("owner", id), {});
      await store.moveHead("owner", id, second);
      assert.deepEqual(await store.head("owner", id), { messageId: second });
      await store.moveHead("owner", id, first);
      assert.deepEqual(await store.head("owner", id), { messageId: first });
      await store.moveHead("owner", id, "no message of it");
      assert.deepEqual(await store.head("owner", id), { messageId: first });
    });

    it("is a tree: a path leads from the root to the message and past its siblings", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const [root] = (await store.append("owner", id, undefined, [asks("Root?")])) ?? [];
      const [left = ""] = (await store.append("owner", id, root, [answers("Left.")])) ?? [];
      const [right = ""] = (await store.append("owner", id, root, [answers("Right.")])) ?? [];
      const [leaf = ""] = (await store.append("owner", id, left, [asks("Leaf?")])) ?? [];
      const texts = async (messageId: string) =>
        (await store.path("owner", id, messageId, maxChars))?.map(({ text }) => text);
      assert.deepEqual(await texts(leaf), ["Root?", "Left.", "Leaf?"]);
      assert.deepEqual(await texts(right), ["Root?", "Right."]);
    });

    it("leaves out the oldest messages of a path if not all fit, and never the newest text", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const messages = [asks("One?"), answers("Two."), asks("Three?"), answers("")];
      const ids = (await store.append("owner", id, undefined, messages)) ?? [];
      const texts = async (chars: number, messageId = ids.at(-1)) =>
        (await store.path("owner", id, messageId ?? "", chars))?.map(({ text }) => text);
      assert.deepEqual(await texts(14), ["One?", "Two.", "Three?", ""]);
      assert.deepEqual(await texts(13), ["Two.", "Three?", ""]);
      assert.deepEqual(await texts(10), ["Two.", "Three?", ""]);
      assert.deepEqual(await texts(9), ["Three?", ""]);
      assert.deepEqual(await texts(0), ["Three?", ""]);
      assert.deepEqual(await texts(4, ids[1]), ["Two."]);
      const [wide] = (await store.append("owner", id, ids[0], [answers("😀😀")])) ?? [];
      assert.deepEqual(await texts(8, wide), ["One?", "😀😀"]);
    });

    it("stores nothing after an unknown parent", async () => {
      await using under = await create();
      const { store } = under;
      const [one, two] = [await store.create("owner"), await store.create("owner")];
      const [elsewhere] = (await store.append("owner", one, undefined, [asks("Here?")])) ?? [];
      assert.equal(await store.append("owner", two, elsewhere, [answers("There.")]), undefined);
      assert.equal(await store.append("owner", two, "unknown", [answers("There.")]), undefined);
      assert.equal(await store.path("owner", two, elsewhere ?? "", maxChars), undefined);
      assert.equal(await store.path("owner", two, "unknown", maxChars), undefined);
    });

    it("answers about another owner's conversation exactly as about one that does not exist", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const [message = ""] = (await store.append("owner", id, undefined, [asks("Secret?")])) ?? [];
      await store.moveHead("owner", id, message);
      for (const [owner, conversation] of [
        ["other", id],
        ["owner", "unknown"],
      ] as const) {
        assert.equal(await store.head(owner, conversation), undefined);
        assert.equal(await store.path(owner, conversation, message, maxChars), undefined);
        assert.equal(await store.append(owner, conversation, undefined, [asks("Mine?")]), undefined);
        assert.equal(await store.append(owner, conversation, message, [asks("Mine?")]), undefined);
        await store.moveHead(owner, conversation, message);
      }
      assert.deepEqual(await store.head("owner", id), { messageId: message });
      assert.equal((await store.path("owner", id, message, maxChars))?.length, 1);
    });

    it("stores a message under the id that was given out before", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const [question = ""] = (await store.append("owner", id, undefined, [asks("One?")])) ?? [];
      const ids = await store.append("owner", id, question, [
        { ...answers("One."), id: "told" },
        answers("Two."),
      ]);
      assert.equal(ids?.[0], "told");
      const path = await store.path("owner", id, ids?.[1] ?? "", maxChars);
      assert.deepEqual(
        path?.map((message) => message.id),
        [question, "told", ids?.[1]],
      );
    });

    it("keeps every character of texts, names, titles and ids", async () => {
      await using under = await create();
      const { store } = under;
      const odd = "\u0000 \u001a0 \u001e \u007f \u2028 😀 ' \" \\\\ % {}";
      const id = await store.create(odd, `id ${odd}`);
      const message = { ...answers(odd), requestId: odd, personaName: odd };
      const [stored = ""] = (await store.append(odd, id, undefined, [asks(odd), message])) ?? [];
      assert.equal((await store.summary(odd, id))?.title, odd.replaceAll("\u2028", " ").replace(/ +/g, " "));
      assert.equal(await store.rename(odd, id, odd), true);
      assert.equal((await store.summary(odd, id))?.title, odd);
      assert.deepEqual(
        (await store.ofRequest(odd, id, odd)).map(({ text, personaName }) => [text, personaName]),
        [[odd, odd]],
      );
      assert.equal((await store.path(odd, id, stored, maxChars))?.[0]?.text, odd);
      assert.equal(await store.beginning(odd, id, stored, 1), "\u0000");
      assert.deepEqual(await store.head("\u0000", id), undefined);
    });

    it("keeps messages that are appended at the same moment apart", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const stored = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.append("owner", id, undefined, [asks(`${index}?`), answers(`${index}.`)]),
        ),
      );
      for (const [index, ids] of stored.entries()) {
        const path = await store.path("owner", id, ids?.[1] ?? "", maxChars);
        assert.deepEqual(
          path?.map(({ text }) => text),
          [`${index}?`, `${index}.`],
        );
      }
    });
  });
}
