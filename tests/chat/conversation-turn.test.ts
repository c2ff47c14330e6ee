import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMemoryConversations } from "../../src/adapters/memory/memory-conversations.ts";
import { beginConversationTurn, type ConversationTurn } from "../../src/chat/ensemble/conversation-turn.ts";
import { rememberAnswers } from "../../src/chat/ensemble/stage.ts";
import type { LaneResult } from "../../src/chat/lane-result.ts";
import type { ConversationStore } from "../../src/ports/conversation-store.ts";
import type { Persona } from "../../src/ports/persona.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { createTestClock } from "../support/test-clock.ts";
import { personas } from "./personas.ts";

const [ada, bob, cleo] = personas;
const owner = "owner";
const contextChars = 1_000;

const told = (conversations: ConversationStore) => ({ conversations, contextChars });

async function newConversation(): Promise<{ store: ConversationStore; id: string }> {
  const store = createMemoryConversations({ clock: createTestClock(), maxBytes: 1_000_000 });
  return { store, id: await store.create(owner) };
}

const answer = (text: string, status: LaneResult["status"] = "completed") => ({ status, text });

/** Stores the answers of these personas, in this order. */
const remember = (
  store: ConversationStore,
  turn: ConversationTurn,
  cast: readonly Persona[],
  answers: readonly ReturnType<typeof answer>[],
) =>
  rememberAnswers(
    store,
    turn,
    answers.map((one, index) => ({
      result: one,
      member: { persona: cast[index] as Persona },
      toldId: undefined,
    })),
  );

/** The texts from the root to the head. */
async function toHead(store: ConversationStore, id: string): Promise<string[]> {
  const messageId = (await store.head(owner, id))?.messageId;
  if (messageId === undefined) return [];
  return ((await store.path(owner, id, messageId, contextChars)) ?? []).map(({ text }) => text);
}

async function isRefusal(promise: Promise<unknown>): Promise<void> {
  await assert.rejects(
    promise,
    (error) =>
      error instanceof TroupeError &&
      error.code === "conversation_not_found" &&
      error.field === "conversationId",
  );
}

describe("a turn in a conversation", () => {
  it("starts with an empty path and gets the earlier turns from then on", async () => {
    const { store, id } = await newConversation();
    const first = await beginConversationTurn(told(store), owner, id, { text: "One?" });
    assert.deepEqual(first.path, []);
    const ids = await remember(store, first, [ada], [answer("One.")]);
    const second = await beginConversationTurn(told(store), owner, id, { text: "Two?" });
    assert.deepEqual(
      second.path.map(({ role, text, personaId, personaName, status }) => [
        role,
        text,
        personaId,
        personaName,
        status,
      ]),
      [
        ["user", "One?", undefined, undefined, "completed"],
        ["assistant", "One.", "ada", "Ada", "completed"],
      ],
    );
    assert.equal(second.path.at(-1)?.id, ids[0]);
  });

  it("moves the head only when its answers are stored", async () => {
    const { store, id } = await newConversation();
    const turn = await beginConversationTurn(told(store), owner, id, { text: "One?" });
    assert.deepEqual(await toHead(store, id), []);
    await remember(store, turn, [ada], [answer("One.")]);
    assert.deepEqual(await toHead(store, id), ["One?", "One."]);
  });

  it("stores the answers in the order of the personas, partial ones marked, and nothing of the silent", async () => {
    const { store, id } = await newConversation();
    const turn = await beginConversationTurn(told(store), owner, id, { text: "Well?" });
    const ids = await remember(
      store,
      turn,
      [ada, bob, cleo],
      [answer("Half an ans", "failed"), answer("", "failed"), answer("I sto", "cancelled")],
    );
    assert.deepEqual(
      ids.map((messageId) => typeof messageId),
      ["string", "undefined", "string"],
    );
    const path = await store.path(owner, id, ids[2] ?? "", contextChars);
    assert.deepEqual(
      path?.map(({ id: messageId, parentId, text, status }) => [messageId, parentId, text, status]),
      [
        [turn.questionId, undefined, "Well?", "completed"],
        [ids[0], turn.questionId, "Half an ans", "failed"],
        [ids[2], ids[0], "I sto", "cancelled"],
      ],
    );
    assert.equal((await store.head(owner, id))?.messageId, ids[2]);
  });

  it("names its request in its question and in its answers, if it has one", async () => {
    const { store, id } = await newConversation();
    const turn = await beginConversationTurn(told(store), owner, id, { text: "Well?" }, "req-1");
    await remember(store, turn, [ada], [answer("Well.")]);
    assert.deepEqual(
      (await store.ofRequest(owner, id, "req-1")).map(({ text }) => text),
      ["Well?", "Well."],
    );
    const nameless = await beginConversationTurn(told(store), owner, id, { text: "And?" });
    assert.equal("requestId" in nameless, false);
  });

  it("leaves the head in place if nothing was said", async () => {
    const { store, id } = await newConversation();
    const first = await beginConversationTurn(told(store), owner, id, { text: "One?" });
    await remember(store, first, [ada], [answer("One.")]);
    const second = await beginConversationTurn(told(store), owner, id, { text: "Two?" });
    const ids = await remember(store, second, [ada], [answer("", "failed")]);
    assert.deepEqual(ids, [undefined]);
    assert.deepEqual(await toHead(store, id), ["One?", "One."]);
  });

  it("branches from the head at which it started, even if others go on", async () => {
    const { store, id } = await newConversation();
    const root = await beginConversationTurn(told(store), owner, id, { text: "Root?" });
    await remember(store, root, [ada], [answer("Root.")]);

    const left = await beginConversationTurn(told(store), owner, id, { text: "Left?" });
    const right = await beginConversationTurn(told(store), owner, id, { text: "Right?" });
    assert.deepEqual(left.path, right.path);
    await remember(store, right, [bob], [answer("Right.")]);
    assert.deepEqual(await toHead(store, id), ["Root?", "Root.", "Right?", "Right."]);
    await remember(store, left, [ada], [answer("Left.")]);
    assert.deepEqual(await toHead(store, id), ["Root?", "Root.", "Left?", "Left."]);
  });

  it("keeps turns that start in the same moment apart", async () => {
    const { store, id } = await newConversation();
    const turns = await Promise.all(
      ["A?", "B?", "C?"].map((text) => beginConversationTurn(told(store), owner, id, { text })),
    );
    assert.equal(new Set(turns.map(({ questionId }) => questionId)).size, 3);
    for (const { path } of turns) assert.deepEqual(path, []);
  });

  it("cannot start if there is no such conversation, or if it is another owner's", async () => {
    const { store, id } = await newConversation();
    await isRefusal(beginConversationTurn(told(store), owner, "unknown", { text: "Hm?" }));
    await isRefusal(beginConversationTurn(told(store), "somebody else", id, { text: "Hm?" }));
  });

  it("ends without message ids if the conversation was forgotten meanwhile", async () => {
    const clock = createTestClock();
    const store = createMemoryConversations({ clock, maxBytes: 2_000 });
    const id = await store.create(owner);
    const turn = await beginConversationTurn(told(store), owner, id, { text: "Hm?" });
    await store.append(owner, await store.create(owner), undefined, [
      { role: "user", text: "x".repeat(1_000), status: "completed" },
    ]);
    assert.equal(await store.head(owner, id), undefined);
    const ids = await remember(store, turn, [ada], [answer("Late.")]);
    assert.deepEqual(ids, [undefined]);
  });
});
