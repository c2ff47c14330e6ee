import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createMemoryConversations } from "../../../src/adapters/memory/memory-conversations.ts";
import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import type { ConversationStore } from "../../../src/ports/conversation-store.ts";
import { conversationOf } from "../../ports/conversations-under-test.ts";
import { openStore } from "./open-store.ts";

/** Letters with and without case, accents and surrounding spaces; punctuation, emoji, ligatures, marks. */
const letters =
  "abcABC123éÉñßİıäÄàèΣσςάωйИЁЖжשלوم한글가나日本語の世界ไทย_-.,;:!?'\"“—…😀👩\u200d\u0301\u0308ﬁ½² \n()*^";
const text = fc.string({ unit: fc.constantFrom(...letters, " "), minLength: 1, maxLength: 16 });

test("the database finds the same as a search through all texts, with the same excerpts", async () => {
  await using opened = await openStore();
  const { store, clock } = opened;
  using indexed = createSqliteConversations({ store, clock });
  const plain = createMemoryConversations({ clock, maxBytes: 100_000_000 });
  let owners = 0;
  let found = 0;
  const property = fc.asyncProperty(
    fc.array(text, { minLength: 1, maxLength: 4 }),
    fc.nat(),
    fc.nat(15),
    fc.integer({ min: 1, max: 6 }),
    async (texts, which, start, length) => {
      owners += 1;
      const owner = `owner-${owners}`;
      await conversationOf(indexed, owner, ...texts);
      await conversationOf(plain, owner, ...texts);
      const query = [...(texts[which % texts.length] ?? "")].slice(start, start + length).join("");
      const excerpts = async (under: ConversationStore) =>
        (await under.search(owner, query, 100)).map(({ excerpt }) => excerpt);
      const expected = await excerpts(plain);
      found += expected.length;
      assert.deepEqual(await excerpts(indexed), expected);
    },
  );
  await fc.assert(property, { numRuns: 400, seed: 20_261_122 });
  assert.ok(found > 100, `only ${found} were found at all`);
});
