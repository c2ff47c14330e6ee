import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMemoryConversations } from "../../../src/adapters/memory/memory-conversations.ts";
import type { ConversationStore } from "../../../src/ports/conversation-store.ts";
import { describeConversationStore } from "../../ports/conversation-store-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";

const newStore = (maxBytes: number) => createMemoryConversations({ clock: createTestClock(), maxBytes });

describeConversationStore("memory", async () => ({
  store: newStore(1_000_000),
  [Symbol.asyncDispose]: async () => undefined,
}));

/** Creates a conversation of about `bytes` bytes. */
async function conversationOf(store: ConversationStore, bytes: number): Promise<string> {
  const id = await store.create("owner");
  await store.append("owner", id, undefined, [
    { role: "user", text: "x".repeat(Math.max(0, (bytes - 600) / 2)), status: "completed" },
  ]);
  return id;
}

const isKept = async (store: ConversationStore, id: string) => (await store.head("owner", id)) !== undefined;

describe("the memory of all conversations", () => {
  it("forgets whole conversations, the least recently used first", async () => {
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

  it("never forgets the conversation that grows", async () => {
    const store = newStore(2_000);
    const id = await conversationOf(store, 20_000);
    assert.equal(await isKept(store, id), true);
    const next = await store.create("owner");
    assert.deepEqual([await isKept(store, id), await isKept(store, next)], [false, true]);
  });

  /** A conversation of 10 messages of 2,300 bytes in a store that has room for 10,000. */
  async function longConversation() {
    const store = newStore(10_000);
    const id = await store.create("owner");
    const ids: string[] = [];
    for (let count = 0; count < 10; count += 1) {
      const message = { role: "user", text: `${count}`.padEnd(1_000, "x"), status: "completed" } as const;
      const [added = ""] = (await store.append("owner", id, ids.at(-1), [message])) ?? [];
      await store.moveHead("owner", id, added);
      ids.push(added);
    }
    return { store, id, ids };
  }

  it("limits one conversation as well: its oldest messages are forgotten, the newest are used", async () => {
    const { store, id, ids } = await longConversation();
    const page = await store.messages("owner", id, 1_000_000);
    const kept = page?.pieces.map(({ message }) => message.id) ?? [];
    assert.ok(kept.length >= 3 && kept.length * 2_300 <= 10_000, `${kept.length} are kept`);
    assert.deepEqual(kept, ids.slice(-kept.length));
    const path = await store.path("owner", id, kept.at(-1) ?? "", 1_000_000);
    assert.deepEqual(
      path?.map((message) => message.id),
      kept,
    );
    assert.equal((await store.head("owner", id))?.messageId, ids.at(-1));
    assert.deepEqual(await store.search("owner", "0x*", 10), []);
    assert.equal(await store.append("owner", id, ids[0], []), undefined);
  });

  it("keeps a message larger than all memory until the next message", async () => {
    const store = newStore(2_000);
    const id = await conversationOf(store, 20_000);
    assert.equal((await store.messages("owner", id, 1_000_000))?.pieces.length, 1);
    await store.append("owner", id, undefined, [{ role: "user", text: "Small.", status: "completed" }]);
    const page = await store.messages("owner", id, 1_000_000);
    assert.deepEqual(
      page?.pieces.map(({ message }) => message.text),
      ["Small."],
    );
  });

  it("loses its head with the message, so the next turn starts without one", async () => {
    const { store, id, ids } = await longConversation();
    await store.moveHead("owner", id, ids.at(-3) ?? "");
    await store.append("owner", id, ids.at(-1), [
      { role: "user", text: "x".repeat(5_000), status: "completed" },
    ]);
    assert.deepEqual(await store.head("owner", id), {});
  });

  it("lets a reading go on at its place though older messages were forgotten meanwhile", async () => {
    const { store, id, ids } = await longConversation();
    const first = await store.messages("owner", id, 1_000);
    const read = first?.pieces.map(({ message }) => message.id) ?? [];
    const inside = await store.messages("owner", id, 500);
    for (const text of ["a", "b"])
      await store.append("owner", id, ids.at(-1), [
        { role: "user", text: text.repeat(1_000), status: "completed" },
      ]);
    const rest = await store.messages("owner", id, 1_000_000, first?.next);
    const after = rest?.pieces.map(({ message }) => message.id) ?? [];
    assert.equal(read.length, 1);
    assert.ok(after.length > 0 && after.every((one) => !read.includes(one)));
    assert.ok(after.includes(ids.at(-1) ?? ""));
    assert.ok((inside?.next?.offset ?? 0) > 0);
    assert.equal(await store.messages("owner", id, 500, inside?.next), undefined);
  });
});
