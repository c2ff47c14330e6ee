import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryTurnLogs } from "../../src/adapters/turn-log/memory-turn-logs.ts";
import type { TurnLog } from "../../src/ports/turn-log.ts";
import { recoverTurns } from "../../src/server/recover-turns.ts";
import { answering, createChatSetup } from "../chat/chat-setup.ts";

test("a turn whose end cannot be kept, or whose words cannot, keeps no other from its end", async () => {
  const { dependencies, clock } = createChatSetup(answering("Hello."));
  const kept = createMemoryTurnLogs({ clock, retentionMs: 60_000, maxBytes: 1_000_000 });
  const conversation = await dependencies.conversations.create("owner");
  const faults: string[] = [];
  async function left(id: string, conversationId?: string) {
    const record = {
      owner: "owner",
      id,
      contentHash: "",
      ...(conversationId === undefined ? {} : { conversationId }),
    };
    const created = await kept.create(record);
    assert.ok(created.type === "created");
    return { record, log: created.log, steps: [] };
  }
  const broken = await left("broken", conversation);
  const log: TurnLog = Object.assign(Object.create(broken.log), {
    append: () => Promise.reject(new Error("no end")),
  });
  const turns = [
    { ...broken, log },
    await left("words", conversation),
    await left("plain"),
    await left("last", conversation),
  ];
  const conversations: typeof dependencies.conversations = {
    ...dependencies.conversations,
    async ofRequest(owner, id, requestId) {
      if (requestId === "words") throw new Error("no words");
      return dependencies.conversations.ofRequest(owner, id, requestId);
    },
  };
  const recovery = await recoverTurns({
    logs: { ...kept, unfinished: async () => turns },
    conversations,
    personas: dependencies.personas,
    turns: { goOn: () => Promise.reject(new Error("never asked")) },
    observer: { faulted: ({ requestId, error }) => void faults.push(`${requestId}: ${error}`) },
  });
  assert.deepEqual(recovery, { continued: 0, interrupted: 4 });
  assert.deepEqual(
    turns.map((turn) => turn.log.ended),
    [false, true, true, true],
  );
  assert.deepEqual(faults, ["broken: Error: no end", "words: Error: no words"]);
});
