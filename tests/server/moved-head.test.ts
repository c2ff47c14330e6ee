import assert from "node:assert/strict";
import { test } from "node:test";
import { textMessages } from "../../src/ports/item.ts";
import { answering } from "../chat/chat-setup.ts";
import { answers, asks } from "../ports/conversations-under-test.ts";
import { until } from "../support/until.ts";
import { createGatedTurns } from "./gated-turns.ts";

test("a question follows the answer that was stored while its log was made, and its persona is told of it", async () => {
  const { conversations, turns, calls, ...at } = createGatedTurns(answering("Hello."));
  const id = await conversations.create("owner");
  const [, one = ""] =
    (await conversations.append("owner", id, undefined, [asks("One?"), answers("One.")])) ?? [];
  await conversations.moveHead("owner", id, one);
  const release = at.hold();
  const begun = at.start(id, "r");
  await new Promise((resolve) => setImmediate(resolve));
  const [, two = ""] = (await conversations.append("owner", id, one, [asks("Two?"), answers("Two.")])) ?? [];
  await conversations.moveHead("owner", id, two);
  release();
  assert.equal((await begun).started, true);
  await until(() => turns.count === 0);
  const [question, answer] = await conversations.ofRequest("owner", id, "r");
  assert.deepEqual([question?.text, question?.parentId], ["Hi", two]);
  assert.deepEqual(await conversations.head("owner", id), { messageId: answer?.id });
  assert.deepEqual(
    calls.map(({ input }) => textMessages(input).map(({ text }) => text)),
    [["One?", "One.", "Two?", "Two.", "Hi"]],
  );
});

test("a connection's own conversation that is deleted while a log is made is replaced by a new one", async () => {
  const { conversations, kept, turns, ...at } = createGatedTurns(answering("Hello."));
  const own = await conversations.create("owner");
  const release = at.hold();
  const begun = at.startInOwn(own, "r");
  await new Promise((resolve) => setImmediate(resolve));
  await conversations.remove("owner", own);
  release();
  const { conversationId = "" } = (await begun).turn.record;
  await until(() => turns.count === 0);
  assert.notEqual(conversationId, own);
  assert.deepEqual(
    (await conversations.ofRequest("owner", conversationId, "r")).map(({ text }) => text),
    ["Hi", "Hello."],
  );
});
