import assert from "node:assert/strict";
import { test } from "node:test";
import { answering, sayThenWait } from "../chat/chat-setup.ts";
import { until } from "../support/until.ts";
import { createGatedTurns } from "./gated-turns.ts";

const isRefused = { code: "conversation_not_found" };
const passLoopTurns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

test("a turn that has found its conversation and has no log yet when that is deleted leaves nothing either", async () => {
  const { conversations, kept, turns, ...at } = createGatedTurns(answering("Hello."));
  const release = at.hold();
  const id = await conversations.create("owner");
  const before = at.start(id, "r");
  await passLoopTurns();
  let isDeleted = false;
  const deleted = at.deleteConversation("owner", id).then(() => {
    isDeleted = true;
  });
  await passLoopTurns();
  assert.equal(isDeleted, false);
  release();
  await assert.rejects(before, isRefused);
  await deleted;
  assert.deepEqual([turns.count, kept.count], [0, 0]);
});

test("a turn that runs is stopped at once, though another one is about to run", async () => {
  const { conversations, kept, turns, ...at } = createGatedTurns(({ signal }) => sayThenWait("Hm", signal));
  const id = await conversations.create("owner");
  await at.start(id, "running");
  const release = at.hold();
  const begun = at.start(id, "to-come");
  await passLoopTurns();
  assert.equal(turns.count, 1);
  const deleted = at.deleteConversation("owner", id);
  await until(() => turns.count === 0);
  release();
  await assert.rejects(begun, isRefused);
  await deleted;
  assert.deepEqual([turns.count, kept.count], [0, 0]);
});
