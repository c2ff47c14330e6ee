import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryTurnLogs } from "../../src/adapters/turn-log/memory-turn-logs.ts";
import { Hold } from "../../src/ports/held-bytes.ts";
import type { Observer } from "../../src/ports/observer.ts";
import type { TurnRequest } from "../../src/ports/turn-request.ts";
import { createConversationDeletion } from "../../src/server/delete-conversation.ts";
import { createTurns } from "../../src/server/turns.ts";
import { answering, createChatSetup, type ProviderScript, sayThenWait } from "../chat/chat-setup.ts";
import { createNotedBudget } from "../chat/noted-budget.ts";
import { createGate } from "../doubles/script.ts";
import { until } from "../support/until.ts";

const request: TurnRequest = {
  kind: "persona",
  message: "Hi",
  personaIds: ["ada"],
  api: "openai",
  pacing: { mode: "raw", chunkChars: 30, intervalMs: 100, maxLagMs: 400 },
};
const passLoopTurns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const caller = { owner: "owner", keyId: "key", limits: {} };

/** The turns of a server whose logs take as long as the test wants. */
function createGatedTurns(script: ProviderScript) {
  const { dependencies: chat, clock } = createChatSetup(script);
  const { conversations } = chat;
  const kept = createMemoryTurnLogs({ clock, retentionMs: 60_000, mostBytes: 1_000_000 });
  let held: Promise<void> | undefined;
  const logs: typeof kept = Object.assign(Object.create(kept), {
    async create(...asked: Parameters<typeof kept.create>) {
      await held;
      return kept.create(...asked);
    },
  });
  const observer: Observer = {
    faulted({ error }) {
      throw error;
    },
  };
  const turns = createTurns({
    chat,
    logs,
    budgets: { openTurn: () => Object.assign(createNotedBudget(), { [Symbol.dispose]: () => undefined }) },
    admission: {
      admit: async () => () => undefined,
      hold: () => new Hold([], 0),
      holdRecovered: () => new Hold([], 0),
      heldBytes: 0,
    },
    digest: (text) => text,
    isAdmitted: () => true,
    isMoneyLimited: false,
    turnLimitMs: 60_000,
    observer,
    onLeft: () => undefined,
  });
  const deleteConversation = createConversationDeletion({ conversations, logs, turns, clock, observer });
  return {
    ...{ conversations, kept, turns, deleteConversation },
    /** Logs wait from now on, until the returned function is called. */
    hold(): () => void {
      const gate = createGate();
      held = gate.opened;
      return gate.open;
    },
    start: (conversation: string, id: string) =>
      turns.start({
        ...{ caller, request, content: request, id, isNamed: true, conversation },
        hold: () => new Hold([], 0),
        findConversation: async () => ({ id: conversation, isNew: false }),
        whenUnwatched: "finish",
        whenInterrupted: "error",
      }),
  };
}

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
  await before;
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
  await begun;
  await deleted;
  assert.deepEqual([turns.count, kept.count], [0, 0]);
});
