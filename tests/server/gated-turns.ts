import { createMemoryTurnLogs } from "../../src/adapters/turn-log/memory-turn-logs.ts";
import { Hold } from "../../src/ports/fair-shares.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { Observer } from "../../src/ports/observer.ts";
import type { TurnRequest } from "../../src/ports/turn-request.ts";
import { createConversationDeletion } from "../../src/server/delete-conversation.ts";
import type { Ask } from "../../src/server/start-turn.ts";
import { createTurns } from "../../src/server/turns.ts";
import { createChatSetup, type ProviderScript } from "../chat/chat-setup.ts";
import { createNotedBudget } from "../chat/noted-budget.ts";
import { createGate } from "../doubles/script.ts";

const request: TurnRequest = {
  kind: "persona",
  input: [textMessage("user", "Hi")],
  personaIds: ["ada"],
  api: "openai",
  pacing: { mode: "raw", chunkChars: 30, intervalMs: 100, maxLagMs: 400 },
};
const caller = { owner: "owner", keyId: "key", limits: {} };

/** The turns of a server whose logs take as long as the test wants. */
export function createGatedTurns(script: ProviderScript) {
  const { dependencies: chat, clock, questions, choice } = createChatSetup(script);
  const { conversations } = chat;
  const kept = createMemoryTurnLogs({ clock, retentionMs: 60_000, maxBytes: 1_000_000, questions });
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
  const start = (conversation: Pick<Ask, "conversation" | "ownConversation">, id: string) =>
    turns.start({
      ...{ caller, request, content: request, id, isNamed: true, ...conversation },
      hold: () => new Hold([], 0),
      whenUnwatched: "finish",
      whenInterrupted: "error",
    });
  return {
    ...{ conversations, kept, turns, deleteConversation },
    /** The calls of the provider. */
    calls: choice.requests,
    /** Logs wait from now on, until the returned function is called. */
    hold(): () => void {
      const gate = createGate();
      held = gate.opened;
      return gate.open;
    },
    /** Asks one persona "Hi" in the conversation. */
    start: (conversation: string, id: string) => start({ conversation }, id),
    /** The same without a name for the conversation, which is the connection's own. */
    startInOwn: (ownConversation: string, id: string) =>
      start({ conversation: undefined, ownConversation }, id),
  };
}
