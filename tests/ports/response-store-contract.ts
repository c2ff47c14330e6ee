import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Item, textMessage } from "../../src/ports/item.ts";
import { maxResponseChars, type ResponseStore } from "../../src/ports/response-store.ts";
import type { TestClock } from "../support/test-clock.ts";

/** How long the store under test keeps a response. */
export const responseRetentionMs = 600_000;

/** A new, empty store, and the clock that it uses. */
export interface ResponsesUnderTest extends AsyncDisposable {
  readonly store: ResponseStore;
  readonly clock: TestClock;
}

const said = (text: string): Item[] => [textMessage("user", text), textMessage("assistant", `${text}!`)];
const charsOf = (items: readonly Item[]) => JSON.stringify(items).length;

/** Every kind of item, with texts that a database could spoil. */
const manyItems: readonly Item[] = [
  textMessage("system", "nul \u0000 and lines\r\n\u2028 \u{1f600}"),
  {
    type: "message",
    role: "user",
    parts: [
      { type: "text", text: "Where?" },
      { type: "image", url: "https://pictures.example/a.png" },
      { type: "file", filename: "a.pdf", data: "JVBERi0=", mediaType: "application/pdf" },
    ],
  },
  { type: "reasoning", text: "", providerState: { provider: "one", state: { signature: "s\u001e\u001a" } } },
  { type: "tool-call", callId: "c", name: "f", arguments: '{"a":' },
  { type: "tool-result", callId: "c", output: [] },
  { type: "source", url: "https://a.example", title: "A" },
];

/** The contract of `ResponseStore`, for every adapter to run. */
export function describeResponses(name: string, create: () => Promise<ResponsesUnderTest>): void {
  describe(`${name} as the store of responses`, () => {
    it("returns the items of a response and of all before it, oldest first", async () => {
      await using under = await create();
      const { store } = under;
      await store.keep("ada", { id: "r1", items: manyItems });
      await store.keep("ada", { id: "r2", previousId: "r1", items: said("two") });
      await store.keep("ada", { id: "r3", previousId: "r2", items: said("three") });
      await store.keep("ada", { id: "other", previousId: "r1", items: said("other") });
      assert.deepEqual(await store.context("ada", "r1", 1_000_000), manyItems);
      assert.deepEqual(await store.context("ada", "r3", 1_000_000), [
        ...manyItems,
        ...said("two"),
        ...said("three"),
      ]);
      assert.deepEqual(await store.context("ada", "other", 1_000_000), [...manyItems, ...said("other")]);
    });

    it("returns nothing of another owner, and no context with a gap", async () => {
      await using under = await create();
      const { store } = under;
      await store.keep("ada", { id: "r1", items: said("one") });
      await store.keep("bob", { id: "r2", previousId: "r1", items: said("two") });
      await store.keep("ada", { id: "r3", previousId: "lost", items: said("three") });
      for (const [owner, id] of [
        ...[["bob", "r1"] as const, ["bob", "r2"] as const, ["ada", "r2"] as const],
        ...[["ada", "r3"] as const, ["ada", "R1"] as const, ["Ada", "r1"] as const, ["ada", ""] as const],
      ])
        assert.equal(await store.context(owner, id, 1_000_000), undefined, `${owner} ${id}`);
    });

    it("leaves out the oldest responses of a long context, but never the one that was named", async () => {
      await using under = await create();
      const { store } = under;
      for (let index = 0; index < 5; index += 1)
        await store.keep("ada", {
          id: `r${index}`,
          ...(index === 0 ? {} : { previousId: `r${index - 1}` }),
          items: said(`text ${index}`),
        });
      const chars = charsOf(said("text 0"));
      const from = (first: number) => [0, 1, 2, 3, 4].slice(first).flatMap((index) => said(`text ${index}`));
      for (const [maxChars, first] of [
        ...[[5 * chars, 0] as const, [5 * chars - 1, 1] as const, [2 * chars, 3] as const],
        ...[[2 * chars - 1, 4] as const, [1, 4] as const],
      ])
        assert.deepEqual(await store.context("ada", "r4", maxChars), from(first), String(maxChars));
      // A gap further back does not matter.
      await store.keep("ada", { id: "r1", previousId: "lost", items: said("text 1") });
      assert.deepEqual(await store.context("ada", "r4", 3 * chars), from(2));
      assert.equal(await store.context("ada", "r4", 5 * chars), undefined);
    });

    it("takes the last one for an id that is kept twice, and never follows a circle for ever", async () => {
      await using under = await create();
      const { store } = under;
      await store.keep("ada", { id: "r1", items: said("one") });
      await store.keep("ada", { id: "r2", previousId: "r1", items: said("two") });
      await store.keep("ada", { id: "r1", items: said("again") });
      assert.deepEqual(await store.context("ada", "r2", 10_000), [...said("again"), ...said("two")]);
      await store.keep("ada", { id: "r1", previousId: "r2", items: said("circle") });
      const context = await store.context("ada", "r2", 10_000);
      assert.ok(context !== undefined && charsOf(context) <= 11_000);
      await store.keep("bob", { id: "r1", items: said("of bob") });
      assert.equal(await store.context("ada", "r1", 10_000), undefined);
      assert.deepEqual(await store.context("bob", "r1", 10_000), said("of bob"));
    });

    it("keeps a response for its time and no longer", async () => {
      await using under = await create();
      const { store, clock } = under;
      await store.keep("ada", { id: "r1", items: said("one") });
      await clock.advance(responseRetentionMs - 60_000);
      await store.keep("ada", { id: "r2", previousId: "r1", items: said("two") });
      assert.deepEqual(await store.context("ada", "r2", 10_000), [...said("one"), ...said("two")]);
      await clock.advance(60_001);
      assert.equal(await store.context("ada", "r1", 10_000), undefined);
      assert.equal(await store.context("ada", "r2", 10_000), undefined);
      assert.deepEqual(await store.context("ada", "r2", 1), said("two"));
    });

    it("keeps no response that is too long, and fails for none", async () => {
      await using under = await create();
      const { store } = under;
      const overhead = charsOf([textMessage("user", "")]);
      const long = (chars: number) => [textMessage("user", "x".repeat(chars - overhead))];
      await store.keep("ada", { id: "fits", items: long(maxResponseChars) });
      await store.keep("ada", { id: "long", items: long(maxResponseChars + 1) });
      assert.deepEqual(await store.context("ada", "fits", 1), long(maxResponseChars));
      assert.equal(await store.context("ada", "long", 1), undefined);
    });
  });
}
