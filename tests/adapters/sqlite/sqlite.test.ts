import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import { createSqliteKeys } from "../../../src/adapters/sqlite/sqlite-keys.ts";
import { describeConversationStore } from "../../ports/conversation-store-contract.ts";
import { describeKeyStore } from "../../ports/key-store-contract.ts";
import { describeLeaving, describeTurnLog } from "../../ports/turn-log-contract.ts";
import { created, describeTurnLogStore } from "../../ports/turn-log-store-contract.ts";
import { onFault, openLogs, openStore } from "./open-store.ts";

describeTurnLogStore("sqlite", async (options) => {
  const { logs, [Symbol.asyncDispose]: dispose } = await openLogs(options);
  return { store: logs, [Symbol.asyncDispose]: dispose };
});

async function openLog() {
  const { logs, [Symbol.asyncDispose]: dispose } = await openLogs();
  return { log: await created(logs, "owner", "id"), [Symbol.asyncDispose]: dispose };
}

describeTurnLog("sqlite", openLog);
describeLeaving("sqlite", openLog);

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

describeKeyStore("sqlite", async () => {
  const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
  return { store: createSqliteKeys({ store, clock }), [Symbol.asyncDispose]: dispose };
});
