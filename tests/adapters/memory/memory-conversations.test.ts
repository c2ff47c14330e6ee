import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMemoryConversations } from "../../../src/adapters/memory/memory-conversations.ts";
import type { ConversationStore } from "../../../src/ports/conversation-store.ts";
import { describeConversationStore } from "../../ports/conversation-store-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";

const newStore = (mostBytes: number) => createMemoryConversations({ clock: createTestClock(), mostBytes });

describeConversationStore("memory", async () => ({
  store: newStore(1_000_000),
  [Symbol.asyncDispose]: async () => undefined,
}));

/** A conversation of about so many bytes. */
async function conversationOf(store: ConversationStore, bytes: number): Promise<string> {
  const id = await store.create("owner");
  await store.append("owner", id, undefined, [
    { role: "user", text: "x".repeat(Math.max(0, (bytes - 600) / 2)), status: "completed" },
  ]);
  return id;
}

const isKept = async (store: ConversationStore, id: string) => (await store.head("owner", id)) !== undefined;

describe("the memory of all conversations", () => {
  it("forgets those used longest ago, as a whole", async () => {
    const store = newStore(10_000);
    const oldest = await conversationOf(store, 4_000);
    const older = await conversationOf(store, 4_000);
    await store.head("owner", oldest);
    const newest = await conversationOf(store, 4_000);
    assert.deepEqual(
      [await isKept(store, older), await isKept(store, oldest), await isKept(store, newest)],
      [false, true, true],
    );
  });

  it("counts a use of any kind, but not another owner's", async () => {
    const uses: ((store: ConversationStore, id: string) => Promise<unknown>)[] = [
      (store, id) => store.path("owner", id, "any", 1_000),
      (store, id) => store.append("owner", id, undefined, []),
      (store, id) => store.moveHead("owner", id, "any"),
    ];
    for (const use of uses) {
      const store = newStore(10_000);
      const used = await conversationOf(store, 4_000);
      const unused = await conversationOf(store, 4_000);
      await use(store, used);
      await store.head("other", unused);
      await conversationOf(store, 4_000);
      assert.deepEqual([await isKept(store, used), await isKept(store, unused)], [true, false]);
    }
  });

  it("forgets empty ones too, so that making them is bounded", async () => {
    const store = newStore(10_000);
    const first = await store.create("owner");
    for (let count = 0; count < 100; count += 1) await store.create("owner");
    assert.equal(await isKept(store, first), false);
  });

  it("never forgets the one that grows", async () => {
    const store = newStore(2_000);
    const id = await conversationOf(store, 20_000);
    assert.equal(await isKept(store, id), true);
    const next = await store.create("owner");
    assert.deepEqual([await isKept(store, id), await isKept(store, next)], [false, true]);
  });
});
