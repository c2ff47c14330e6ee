import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import { createSqliteTurnLogs } from "../../../src/adapters/sqlite/sqlite-turn-logs.ts";
import { describeConversationStore } from "../../ports/conversation-store-contract.ts";
import { describeTurnLog } from "../../ports/turn-log-contract.ts";
import { created, describeTurnLogStore } from "../../ports/turn-log-store-contract.ts";
import { onFault, openStore } from "./open-store.ts";

describeTurnLogStore("sqlite", async ({ clock, retentionMs }) => {
  const { store, [Symbol.asyncDispose]: dispose } = await openStore();
  const logs = await createSqliteTurnLogs({ store, clock, retentionMs, mostBytes: 1_000_000, onFault });
  return { store: logs, [Symbol.asyncDispose]: dispose };
});

describeTurnLog("sqlite", async () => {
  const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
  const logs = await createSqliteTurnLogs({
    store,
    clock,
    retentionMs: 60_000,
    mostBytes: 1_000_000,
    onFault,
  });
  return { log: await created(logs, "owner", "id"), [Symbol.asyncDispose]: dispose };
});

describeConversationStore("sqlite", async () => {
  const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
  const conversations = createSqliteConversations({ store, clock, onFault });
  return {
    store: conversations,
    async [Symbol.asyncDispose]() {
      conversations[Symbol.dispose]();
      await dispose();
    },
  };
});
