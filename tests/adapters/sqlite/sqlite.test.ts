import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import { createSqliteStore } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../../../src/adapters/sqlite/sqlite-turn-logs.ts";
import { describeConversationStore } from "../../ports/conversation-store-contract.ts";
import { describeTurnLog } from "../../ports/turn-log-contract.ts";
import { created, describeTurnLogStore } from "../../ports/turn-log-store-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";

async function openStore() {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-sqlite-"));
  const clock = createTestClock({ instantMs: 1_000 });
  const store = await createSqliteStore({
    clock,
    file: path.join(folder, "troupe.db"),
    synchronous: "NORMAL",
  });
  return {
    store,
    clock,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

const onFault = (fault: unknown) => {
  throw fault;
};

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
  return { store: createSqliteConversations({ store, clock }), [Symbol.asyncDispose]: dispose };
});
