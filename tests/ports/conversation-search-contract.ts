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

/** The texts of the messages that a query finds, in the order in which they are found. */
async function find(store: ConversationStore, query: string, limit = 100): Promise<(string | undefined)[]> {
  const matches = await store.search("owner", query, limit);
  return Promise.all(
    matches.map(async ({ conversationId, messageId }) => {
      const messages = await readAll(store, "owner", conversationId);
      return messages.find(({ id }) => id === messageId)?.text;
    }),
  );
}

/** Characters that may be special to a search engine or a database. */
const oddQueries = [
  ...[
    "",
    " ",
    '"',
    '""',
    "'",
    "*",
    "a*",
    "^",
    "-",
    "--",
    ":",
    "(",
    ")",
    "()",
    "+",
    "{",
    "}",
    "\\",
    "\u0000",
    "%",
    "_",
  ],
  ...[
    "AND",
    "OR",
    "NOT",
    "NEAR(a b)",
    "a AND",
    "NOT a",
    "owner : x",
    'words : "x',
    "rank MATCH 'x'",
    "; DROP TABLE messages",
  ],
  ...[
    "\ud800",
    "\udc00\ud800",
    "😀",
    "\u0301",
    "\u200b",
    "ﷺ",
    "\u{1E922}",
    "x".repeat(200),
    "x ".repeat(100),
  ],
];

/** The part of the contract about searching messages. */
export function describeSearch(name: string, create: () => Promise<ConversationsUnderTest>): void {
  describe(`${name} as the index of messages`, () => {
    it("finds the messages in which all words occur, newest first, and no more than asked for", async () => {
      await using under = await create();
      const { store } = under;
      const one = await conversationOf(store, "owner", "A red apple.", "A green apple.");
      await conversationOf(store, "owner", "A red car.");
      await store.append("owner", one, undefined, [answers("Apple pie, red.")]);
      assert.deepEqual(await find(store, "apple"), ["Apple pie, red.", "A green apple.", "A red apple."]);
      assert.deepEqual(await find(store, "red apple"), ["Apple pie, red.", "A red apple."]);
      assert.deepEqual(await find(store, "apple", 2), ["Apple pie, red.", "A green apple."]);
      assert.deepEqual(await find(store, "apple banana"), []);
    });

    it("gives the place and the title of a match, and shows the words", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const long = `${"before ".repeat(100)}\n\nthe Needle here ${"after ".repeat(100)}`;
      const [, answer] =
        (await store.append("owner", id, undefined, [asks("Where is it?"), answers(long)])) ?? [];
      const [match, ...others] = await store.search("owner", "needle", 10);
      assert.deepEqual(others, []);
      assert.ok(match !== undefined);
      assert.deepEqual([match.conversationId, match.messageId, match.title], [id, answer, "Where is it?"]);
      assert.match(match.excerpt, /^….*before the Needle here after .*…$/);
      assert.ok(match.excerpt.length < 200);
      const [short] = await store.search("owner", "where", 10);
      assert.equal(short?.excerpt, "Where is it?");
    });

    it("looks at the starts of words, ignoring case and accents", async () => {
      await using under = await create();
      const { store } = under;
      const texts = ["Streaming CAFÉS", "мой ёж", "한국어 문장", "naïve", "ΣΊΣΥΦΟΣ"];
      await conversationOf(store, "owner", ...texts);
      const rows: readonly (readonly [string, string[]])[] = [
        ["stream", ["Streaming CAFÉS"]],
        ["cafe", ["Streaming CAFÉS"]],
        ["cafe\u0301s", ["Streaming CAFÉS"]],
        ["reaming", []],
        ["мои", ["мой ёж"]],
        ["ЕЖ", ["мой ёж"]],
        ["한국", []],
        ["한국어", ["한국어 문장"]],
        ["NAIVE", ["naïve"]],
        ["σίσ", ["ΣΊΣΥΦΟΣ"]],
      ];
      for (const [query, expected] of rows) assert.deepEqual(await find(store, query), expected, query);
    });

    it("takes words of one or two letters whole, because nearly every word starts with them", async () => {
      await using under = await create();
      const { store } = under;
      await conversationOf(store, "owner", "Is AI an aid?", "Aiming an arrow.");
      assert.deepEqual(await find(store, "ai"), ["Is AI an aid?"]);
      assert.deepEqual(await find(store, "aim"), ["Aiming an arrow."]);
      assert.deepEqual(await find(store, "a"), []);
    });

    it("takes the parts of one word as a sequence", async () => {
      await using under = await create();
      const { store } = under;
      await conversationOf(store, "owner", "A well-known fact.", "Known as well.", "See node:sqlite_3.");
      assert.deepEqual(await find(store, "well-known"), ["A well-known fact."]);
      assert.deepEqual(await find(store, "well known"), ["Known as well.", "A well-known fact."]);
      assert.deepEqual(await find(store, "node:sql"), ["See node:sqlite_3."]);
    });

    it("finds words of scripts that put no spaces between them", async () => {
      await using under = await create();
      const { store } = under;
      await conversationOf(store, "owner", "你好，世界很大", "これは日本語です", "ภาษาไทยง่าย", "界世");
      assert.deepEqual(await find(store, "世界"), ["你好，世界很大"]);
      assert.deepEqual(await find(store, "日本"), ["これは日本語です"]);
      assert.deepEqual(await find(store, "ไทย"), ["ภาษาไทยง่าย"]);
      assert.deepEqual(await find(store, "界"), ["界世", "你好，世界很大"]);
    });

    it("looks only for the given words", async () => {
      await using under = await create();
      const { store } = under;
      await conversationOf(store, "owner", "Plain words.", ...oddQueries.map((odd) => `Odd ${odd} here.`));
      await conversationOf(store, "other", "Plain words of another.");
      for (const query of oddQueries) {
        for (const asked of [query, `plain ${query}`, `${query} words`]) {
          const found = await store.search("owner", asked, 100);
          assert.ok(Array.isArray(found), asked);
        }
      }
      assert.deepEqual(await find(store, "plain"), ["Plain words."]);
      assert.deepEqual(await find(store, "plain OR odd"), []);
      assert.deepEqual(await find(store, "NOT plain"), []);
      assert.deepEqual(await find(store, "!? ..."), []);
    });

    it("never looks into other owners' texts", async () => {
      await using under = await create();
      const { store } = under;
      await conversationOf(store, "owner", "The canary of the owner.");
      await conversationOf(store, "owner-2", "The canary of another.");
      await conversationOf(store, "OWNER", "The canary in capitals.");
      assert.deepEqual(await find(store, "canary"), ["The canary of the owner."]);
      assert.deepEqual(await store.search("nobody", "canary", 10), []);
      assert.deepEqual(await store.search("", "canary", 10), []);
    });
  });
}
