import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConversationStore } from "../../src/ports/conversation-store.ts";
import {
  answers,
  asks,
  type ConversationsUnderTest,
  conversationOf,
  readAll,
} from "./conversations-under-test.ts";

/** The ids of all pages from a position on, page by page. */
async function pagesOf(
  store: ConversationStore,
  owner: string,
  limit: number,
  from?: string,
): Promise<string[][]> {
  const pages: string[][] = [];
  for (let before = from; ; ) {
    const { conversations, next } = await store.list(owner, { limit, before });
    pages.push(conversations.map(({ id }) => id));
    if (next === undefined) return pages;
    assert.ok(pages.length < 20, "there is no end of pages");
    before = next;
  }
}

const idsOf = async (store: ConversationStore, owner: string) => (await pagesOf(store, owner, 100)).flat();
const titleIn = async (store: ConversationStore, id: string) => (await store.summary("owner", id))?.title;

/** The part of the contract about listing, reading, naming and deleting. */
export function describeListing(name: string, create: () => Promise<ConversationsUnderTest>): void {
  describe(`${name} as the keeper of conversations`, () => {
    it("lists the last changed first: by a message, a new head, a new title", async () => {
      await using under = await create();
      const { store } = under;
      const ids = [
        await conversationOf(store, "owner", "One?"),
        await conversationOf(store, "owner", "Two?"),
        await conversationOf(store, "owner", "Three?"),
      ] as const;
      const [one, two, three] = ids;
      assert.deepEqual(await idsOf(store, "owner"), [three, two, one]);
      const [message = ""] = (await store.append("owner", one, undefined, [asks("More?")])) ?? [];
      assert.deepEqual(await idsOf(store, "owner"), [one, three, two]);
      await store.rename("owner", two, "Named");
      assert.deepEqual(await idsOf(store, "owner"), [two, one, three]);
      await store.moveHead("owner", one, message);
      await readAll(store, "owner", three);
      assert.deepEqual(await idsOf(store, "owner"), [one, two, three]);
    });

    it("lists nothing in which nothing was said, unless it was named", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      await store.append("owner", id, undefined, []);
      assert.deepEqual(await store.list("owner", { limit: 10 }), { conversations: [] });
      await store.rename("owner", id, "For later");
      const { conversations } = await store.list("owner", { limit: 10 });
      assert.deepEqual(
        conversations.map(({ title, headId }) => [title, headId]),
        [["For later", undefined]],
      );
    });

    it("gives pages that together name each once, and a last one without a next", async () => {
      await using under = await create();
      const { store } = under;
      const ids: string[] = [];
      for (let count = 0; count < 7; count += 1)
        ids.unshift(await conversationOf(store, "owner", `${count}?`));
      for (const limit of [1, 3, 7, 8]) {
        const pages = await pagesOf(store, "owner", limit);
        assert.deepEqual(pages.flat(), ids);
        assert.equal(pages.length, Math.ceil(7 / limit));
      }
    });

    it("names none twice and misses none that stays as it is while others are changed, added and deleted", async () => {
      await using under = await create();
      const { store } = under;
      const ids: string[] = [];
      for (let count = 0; count < 9; count += 1)
        ids.unshift(await conversationOf(store, "owner", `${count}?`));
      const first = await store.list("owner", { limit: 3 });
      const seen = first.conversations.map(({ id }) => id);
      assert.deepEqual(seen, ids.slice(0, 3));
      await store.rename("owner", ids[1] ?? "", "Seen already");
      await store.rename("owner", ids[4] ?? "", "Not seen yet");
      await store.remove("owner", ids[0] ?? "");
      await store.remove("owner", ids[6] ?? "");
      const added = await conversationOf(store, "owner", "New?");
      const rest = (await pagesOf(store, "owner", 2, first.next)).flat();
      assert.deepEqual(
        rest,
        [3, 5, 7, 8].map((index) => ids[index]),
      );
      assert.deepEqual((await idsOf(store, "owner")).slice(0, 3), [added, ids[4], ids[1]]);
    });

    it("refuses a `before` that cannot be a position", async () => {
      await using under = await create();
      const { store } = under;
      await conversationOf(store, "owner", "One?");
      for (const before of ["", "none", "0", "-1", "NaN", "' OR 1=1 --"])
        await assert.rejects(store.list("owner", { limit: 10, before }), {
          code: "invalid_message",
          field: "before",
        });
    });

    it("takes the title from the first question, on one line and at most 80 characters", async () => {
      await using under = await create();
      const { store } = under;
      const rows = [
        ["Why is the sky blue?", "Why is the sky blue?"],
        ["  two\n\n lines\tand more ", "two lines and more"],
        ["😀".repeat(100), "😀".repeat(80)],
        [`${"x".repeat(79)} ${"y".repeat(10)}`, `${"x".repeat(79)} `],
        [" \n ", "A later question?"],
      ] as const;
      for (const [question, title] of rows) {
        const id = await conversationOf(store, "owner", question, "A later question?");
        assert.equal(await titleIn(store, id), title, question);
      }
      const begun = await store.create("owner");
      assert.equal(await titleIn(store, begun), "");
      await store.append("owner", begun, undefined, [answers("Nobody asked."), asks("Who said that?")]);
      assert.equal(await titleIn(store, begun), "Who said that?");
    });

    it("keeps the title that its owner gave, before or after the first question", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      assert.equal(await store.rename("owner", id, "Mine"), true);
      await store.append("owner", id, undefined, [asks("Question?")]);
      assert.equal(await titleIn(store, id), "Mine");
      await store.rename("owner", id, "Mine still");
      await store.append("owner", id, undefined, [asks("Another?")]);
      assert.equal(await titleIn(store, id), "Mine still");
    });

    it("reads the whole tree, oldest first, with each message's parent and request", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const asked = { ...asks("Root?"), requestId: "r-1" };
      const [root = "", left = ""] =
        (await store.append("owner", id, undefined, [asked, answers("L.")])) ?? [];
      const [right = ""] = (await store.append("owner", id, root, [answers("R. 😀")])) ?? [];
      const [deeper = ""] = (await store.append("owner", id, left, [asks("Deeper?")])) ?? [];
      await store.moveHead("owner", id, right);
      const read = await store.summary("owner", id);
      assert.ok(read !== undefined);
      const { createdAtMs, updatedAtMs, ...summary } = read;
      assert.deepEqual(summary, { id, title: "Root?", headId: right });
      assert.ok(createdAtMs > 0 && updatedAtMs >= createdAtMs);
      assert.deepEqual(
        (await readAll(store, "owner", id)).map(({ createdAtMs: atMs, ...message }) => {
          assert.ok(atMs >= createdAtMs && atMs <= updatedAtMs);
          return message;
        }),
        [
          { ...asked, id: root },
          { ...answers("L."), id: left, parentId: root },
          { ...answers("R. 😀"), id: right, parentId: root },
          { ...asks("Deeper?"), id: deeper, parentId: left },
        ],
      );
      const [listed] = (await store.list("owner", { limit: 1 })).conversations;
      assert.deepEqual(listed, read);
    });

    it("reads a conversation of any length whole", async () => {
      await using under = await create();
      const { store } = under;
      const texts = Array.from({ length: 1_000 }, (_, index) => `${index}?`);
      const id = await conversationOf(store, "owner", ...texts);
      const messages = await readAll(store, "owner", id);
      assert.deepEqual(
        messages.map(({ text }) => text),
        texts,
      );
    });

    it("leaves nothing of a deleted conversation, and other conversations as they are", async () => {
      await using under = await create();
      const { store } = under;
      const gone = await conversationOf(store, "owner", "Secret plan?", "More of it?");
      const kept = await conversationOf(store, "owner", "Secret garden?");
      const messageId = (await store.head("owner", gone))?.messageId ?? "";
      assert.equal(await store.remove("owner", gone), true);
      assert.equal(await store.remove("owner", gone), false);
      assert.equal(await store.rename("owner", gone, "Back"), false);
      assert.equal(await store.summary("owner", gone), undefined);
      assert.equal(await store.messages("owner", gone, 1_000), undefined);
      assert.equal(await store.beginning("owner", gone, messageId, 10), undefined);
      assert.equal(await store.head("owner", gone), undefined);
      assert.equal(await store.path("owner", gone, messageId, 1_000), undefined);
      assert.equal(await store.append("owner", gone, messageId, [answers("Late.")]), undefined);
      await store.moveHead("owner", gone, messageId);
      assert.deepEqual(await idsOf(store, "owner"), [kept]);
      const found = await store.search("owner", "secret", 10);
      assert.deepEqual(
        found.map(({ conversationId }) => conversationId),
        [kept],
      );
    });

    it("accepts an answer while its conversation is deleted, and keeps none of it", async () => {
      await using under = await create();
      const { store } = under;
      const ids = await Promise.all(
        Array.from({ length: 20 }, () => conversationOf(store, "owner", "Race?")),
      );
      const kept = await conversationOf(store, "owner", "Bystander?");
      await Promise.all(
        ids.flatMap((id, index) => {
          const append = () => store.append("owner", id, undefined, [answers("Late race.")]);
          const remove = () => store.remove("owner", id);
          return index % 2 === 0 ? [append(), remove()] : [remove(), append()];
        }),
      );
      assert.deepEqual(await store.search("owner", "race", 100), []);
      assert.deepEqual(await idsOf(store, "owner"), [kept]);
    });

    it("answers about another owner's conversation as if it did not exist", async () => {
      await using under = await create();
      const { store } = under;
      const id = await conversationOf(store, "owner", "Secret?");
      const before = await store.summary("owner", id);
      const [message = { id: "" }] = await readAll(store, "owner", id);
      for (const [owner, conversation] of [
        ["other", id],
        ["owner", "unknown"],
      ] as const) {
        assert.equal(await store.summary(owner, conversation), undefined);
        assert.equal(await store.messages(owner, conversation, 1_000), undefined);
        assert.equal(await store.beginning(owner, conversation, message.id, 10), undefined);
        assert.equal(await store.rename(owner, conversation, "Mine"), false);
        assert.equal(await store.remove(owner, conversation), false);
      }
      assert.deepEqual(await store.list("other", { limit: 10 }), { conversations: [] });
      assert.deepEqual(await store.summary("owner", id), before);
    });
  });
}
