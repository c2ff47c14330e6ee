import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  answers,
  asks,
  type ConversationsUnderTest,
  conversationOf,
  pagesOf,
  readAll,
} from "./conversations-under-test.ts";

/** Texts around the size of a page, with characters of every length in UTF-8, cut at every place. */
const texts = [
  "",
  "x",
  "y".repeat(15),
  "z".repeat(16),
  "ä".repeat(100),
  `a${"語".repeat(50)}`,
  `ab${"😀".repeat(50)}`,
  "\u0000 nul",
  "e\u0301👩‍👩‍👧\r\n".repeat(20),
  "",
];

/** The part of the contract about reading a conversation page by page. */
export function describeReading(name: string, create: () => Promise<ConversationsUnderTest>): void {
  describe(`${name} as a store that conversations are read from`, () => {
    for (const maxBytes of [4, 5, 6, 7, 16, 17, 1_000]) {
      it(`gives pages of at most ${maxBytes} bytes that together are the whole`, async () => {
        await using under = await create();
        const { store } = under;
        const id = await conversationOf(store, "owner", ...texts);
        await conversationOf(store, "owner", "Another conversation?");
        const pages = await pagesOf(store, "owner", id, maxBytes);
        for (const { pieces } of pages) {
          const bytes = pieces.reduce((sum, { message }) => sum + Buffer.byteLength(message.text), 0);
          assert.ok(bytes <= maxBytes, `a page has ${bytes} bytes`);
          assert.ok(
            pieces.every(({ message }) => message.text.isWellFormed()),
            "no character is cut",
          );
        }
        const pieces = pages.flatMap((page) => page.pieces);
        assert.equal(pieces.filter(({ goesOn }) => !goesOn).length, texts.length);
        assert.equal(pieces.filter(({ isLast }) => isLast).length, texts.length);
        const read = await readAll(store, "owner", id, maxBytes);
        assert.deepEqual(
          read.map(({ text }) => text),
          texts,
        );
      });
    }

    it("gives short messages many to a page, and never all of a long conversation", async () => {
      await using under = await create();
      const { store } = under;
      const id = await conversationOf(store, "owner", ...Array.from({ length: 1_000 }, () => "x"));
      const pages = await pagesOf(store, "owner", id, 1_000_000);
      assert.ok(pages.length >= 5 && pages.length <= 50, `${pages.length} pages`);
    });

    it("gives one page without messages for a conversation in which nothing was said", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      assert.deepEqual(await store.messages("owner", id, 1_000), { pieces: [] });
    });

    it("reads on into messages that were added meanwhile", async () => {
      await using under = await create();
      const { store } = under;
      const id = await conversationOf(store, "owner", "x".repeat(20));
      const first = await store.messages("owner", id, 16);
      const parent = (await store.head("owner", id))?.messageId;
      await store.append("owner", id, parent, [answers("More.")]);
      const second = await store.messages("owner", id, 1_000, first?.next);
      const pieces = [...(first?.pieces ?? []), ...(second?.pieces ?? [])];
      assert.deepEqual(
        pieces.map(({ goesOn, isLast }) => [goesOn, isLast]),
        [
          [false, false],
          [true, true],
          [false, true],
        ],
      );
      assert.equal(pieces.map(({ message }) => message.text).join(""), `${"x".repeat(20)}More.`);
    });

    it("has no next page once the conversation was deleted", async () => {
      await using under = await create();
      const { store } = under;
      const id = await conversationOf(store, "owner", "x".repeat(100));
      const first = await store.messages("owner", id, 16);
      await store.remove("owner", id);
      assert.equal(await store.messages("owner", id, 16, first?.next), undefined);
    });

    it("gives the start of a message's text", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const long = `${"é".repeat(500)}end`;
      const [message = ""] = (await store.append("owner", id, undefined, [asks(long)])) ?? [];
      const other = await store.create("owner");
      assert.equal(await store.beginning("owner", id, message, 10), "é".repeat(10));
      assert.equal(await store.beginning("owner", id, message, 1_000), long);
      assert.equal(await store.beginning("owner", id, "unknown", 10), undefined);
      assert.equal(await store.beginning("owner", other, message, 10), undefined);
    });
  });
}
