import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answers, asks, type ConversationsUnderTest } from "./conversations-under-test.ts";

/** The part of the contract of `ConversationStore` about the requests that messages came with. */
export function describeRequests(name: string, create: () => Promise<ConversationsUnderTest>): void {
  describe(`${name} as the store of conversations: the requests of messages`, () => {
    it("finds the messages of a request, the question first, and no others", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const of = (requestId: string) => ({ requestId });
      const [first = ""] =
        (await store.append("owner", id, undefined, [{ ...asks("One?"), ...of("req-1") }])) ?? [];
      const [other] = (await store.append("owner", id, first, [{ ...asks("Two?"), ...of("req-2") }])) ?? [];
      const [answer] =
        (await store.append("owner", id, first, [{ ...answers("One."), ...of("req-1") }])) ?? [];
      await store.append("owner", id, first, [asks("Without a request?")]);
      assert.deepEqual(await store.ofRequest("owner", id, "req-1"), [
        { ...asks("One?"), ...of("req-1"), id: first },
        { ...answers("One."), ...of("req-1"), id: answer, parentId: first },
      ]);
      assert.deepEqual(
        (await store.ofRequest("owner", id, "req-2")).map((message) => message.id),
        [other],
      );
      assert.deepEqual(await store.ofRequest("owner", id, "req-3"), []);
      assert.deepEqual(await store.ofRequest("owner", "unknown", "req-1"), []);
      assert.deepEqual(await store.ofRequest("other", id, "req-1"), []);
    });

    it("names the requests that were asked after one, oldest first, and without one the newest", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const other = await store.create("owner");
      assert.deepEqual(await store.requests("owner", id), []);
      for (const requestId of ["a", "b", "c"]) {
        await store.append("owner", id, undefined, [
          { ...asks("Well?"), requestId },
          { ...answers("Well."), requestId },
        ]);
        await store.append("owner", other, undefined, [{ ...asks("Else?"), requestId: `${requestId}-else` }]);
      }
      // A message that was stored without a request has no place of its own.
      await store.append("owner", id, undefined, [asks("Unnamed?")]);
      assert.deepEqual(await store.requests("owner", id), ["c"]);
      assert.deepEqual(await store.requests("owner", id, "a"), ["b", "c"]);
      assert.deepEqual(await store.requests("owner", id, "c"), []);
      assert.deepEqual(await store.requests("owner", id, ""), ["a", "b", "c"]);
      for (const [owner, conversation, after] of [
        ["owner", id, "never"],
        ["owner", id, "a-else"],
        ["other", id, "a"],
        ["owner", "unknown", "a"],
      ] as const)
        assert.equal(await store.requests(owner, conversation, after), undefined);
      assert.deepEqual(await store.requests("other", id), []);
      assert.deepEqual(await store.requests("other", id, ""), []);
    });

    it("takes a request's name off its answers, and off nothing else", async () => {
      await using under = await create();
      const { store } = under;
      const id = await store.create("owner");
      const of = (requestId: string) => ({ requestId });
      const [question = "", answer = ""] =
        (await store.append("owner", id, undefined, [
          { ...asks("One?"), ...of("req-1") },
          { ...answers("One."), ...of("req-1") },
        ])) ?? [];
      await store.append("owner", id, answer, [{ ...answers("Two."), ...of("req-2") }]);
      const idsOf = async (requestId: string) =>
        (await store.ofRequest("owner", id, requestId)).map((message) => message.id);
      for (const [owner, conversation] of [
        ["other", id],
        ["owner", "unknown"],
      ] as const) {
        await store.disown(owner, conversation, "req-1");
        assert.deepEqual(await idsOf("req-1"), [question, answer]);
      }
      await store.disown("owner", id, "req-1");
      assert.deepEqual([await idsOf("req-1"), (await idsOf("req-2")).length], [[question], 1]);
      // The message stays at its place.
      const path = await store.path("owner", id, answer, 1_000);
      assert.deepEqual(
        path?.map(({ text, requestId }) => [text, requestId]),
        [
          ["One?", "req-1"],
          ["One.", undefined],
        ],
      );
    });
  });
}
