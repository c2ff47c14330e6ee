import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryTurnLogs } from "../../src/adapters/memory/memory-turn-logs.ts";
import { Hold } from "../../src/ports/held-bytes.ts";
import type { TurnRequest } from "../../src/ports/turn-request.ts";
import { createConversationDeletion } from "../../src/server/delete-conversation.ts";
import { createTurns } from "../../src/server/turns.ts";
import { answering, createChatSetup } from "../chat/chat-setup.ts";
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
const caller = { owner: "owner", keyId: "key", limits: {} };

test("a turn that has found its conversation and has no log yet when that is deleted leaves nothing either", async () => {
  const { dependencies: chat, clock } = createChatSetup(answering("Hello."));
  const { conversations } = chat;
  const kept = createMemoryTurnLogs({ clock, retentionMs: 60_000, mostBytes: 1_000_000 });
  const gate = createGate();
  let isCreating = false;
  const logs: typeof kept = Object.assign(Object.create(kept), {
    async create(...asked: Parameters<typeof kept.create>) {
      isCreating = true;
      await gate.opened;
      return kept.create(...asked);
    },
  });
  const onFault = (fault: unknown) => {
    throw fault;
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
    onLaneFailure: () => undefined,
    turnLimitMs: 60_000,
    onEnd: () => undefined,
    onFault: (_, fault) => onFault(fault),
    onLeft: () => undefined,
  });
  const deleteConversation = createConversationDeletion({ conversations, logs, turns, clock, onFault });
  const id = await conversations.create("owner");
  const started = turns.start({
    ...{ caller, request, content: request, id: "r", isNamed: true, conversation: id },
    hold: () => new Hold([], 0),
    findConversation: async () => ({ id, isNew: false }),
    whenUnwatched: "finish",
    whenInterrupted: "error",
  });
  await until(() => isCreating);
  let isDeleted = false;
  const deleted = deleteConversation("owner", id).then(() => {
    isDeleted = true;
  });
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isDeleted, false);
  gate.open();
  await started;
  await deleted;
  assert.deepEqual([turns.count, kept.count], [0, 0]);
});
