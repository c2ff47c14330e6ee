import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryConversations } from "../../src/adapters/memory/memory-conversations.ts";
import type { Observer } from "../../src/ports/observer.ts";
import type { KeptTurn, TurnLog } from "../../src/ports/turn-log.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { ConversationFollows } from "../../src/server/conversation-follows.ts";
import { Followers } from "../../src/server/followers.ts";
import { failing } from "../adapters/sqlite/open-store.ts";
import { createTestClock } from "../support/test-clock.ts";

/** The log of a turn that has ended, of which nothing is kept. */
const log: TurnLog = {
  ...{ headSeq: 0, ended: true, isFull: false, unkept: undefined },
  append: async () => undefined,
  open: () => ({ isOver: true, take: () => undefined, close: () => undefined }),
  leave: () => undefined,
};

test("a turn that a follower has missed is looked up until the storage answers, and no longer than it follows", async () => {
  const clock = createTestClock();
  const conversations = createMemoryConversations({ clock, maxBytes: 1_000_000 });
  const conversationId = await conversations.create("ada");
  await conversations.append("ada", conversationId, undefined, [
    { role: "user", text: "How?", status: "completed", requestId: "unreadable" },
    { role: "user", text: "Why?", status: "completed", requestId: "missed" },
    { role: "assistant", text: "So.", status: "completed", requestId: "missed", personaId: "teacher" },
  ]);
  const unreadable = new Error("It cannot be read.");
  const faults: unknown[] = [];
  let tries = 0;
  let isAway = true;
  const find = async (owner: string, id: string): Promise<KeptTurn> => {
    tries += 1;
    if (isAway) throw new TroupeError("storage_unavailable");
    if (id === "unreadable") throw unreadable;
    return { record: { owner, id, contentHash: "hash", conversationId }, log };
  };
  const turns = { find, runningIn: async () => [], subscribe: () => () => undefined };
  const asked: string[] = [];
  const recipient = { deliver: () => undefined };
  const followers = new Followers(recipient, {
    turns: { watch: () => () => undefined },
    observer: failing,
  });
  const audience = { question: async ({ requestId }: { requestId: string }) => void asked.push(requestId) };
  const observer: Observer = { faulted: ({ error }) => void faults.push(error) };
  const options = { turns, conversations, clock, observer };
  const follows = new ConversationFollows(options, "ada", { audience, followers });

  await follows.follow(conversationId, { after: "" }, async () => undefined);
  await clock.advance(3_000);
  assert.deepEqual([tries, asked], [4, []]);
  isAway = false;
  await clock.advance(1_000);
  // One that cannot be read does not hide the later ones.
  assert.deepEqual([asked, faults], [["missed"], [unreadable]]);

  isAway = true;
  tries = 0;
  await follows.follow(conversationId, { after: "" }, async () => undefined);
  follows.unfollow(conversationId);
  await clock.advance(5_000);
  assert.deepEqual([tries, asked, clock.sleeping], [1, ["missed"], 0]);
});
