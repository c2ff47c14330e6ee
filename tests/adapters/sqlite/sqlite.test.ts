import assert from "node:assert/strict";
import { test } from "node:test";
import { createSqliteConversations } from "../../../src/adapters/sqlite/sqlite-conversations.ts";
import { createSqliteKeys } from "../../../src/adapters/sqlite/sqlite-keys.ts";
import { describeConversationStore } from "../../ports/conversation-store-contract.ts";
import { conversationOf, pagesOf } from "../../ports/conversations-under-test.ts";
import { describeKeyStore } from "../../ports/key-store-contract.ts";
import { describeLeaving, describeTurnLog } from "../../ports/turn-log-contract.ts";
import { created, describeTurnLogStore } from "../../ports/turn-log-store-contract.ts";
import { describeTurnQuestions } from "../../ports/turn-question-contract.ts";
import { openLogs, openStore } from "./open-store.ts";

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
  const conversations = createSqliteConversations({ store, clock });
  return {
    store: conversations,
    async [Symbol.asyncDispose]() {
      conversations[Symbol.dispose]();
      await dispose();
    },
  };
});

describeTurnQuestions("sqlite", async () => {
  const { logs, store, clock, [Symbol.asyncDispose]: dispose } = await openLogs();
  const conversations = createSqliteConversations({ store, clock });
  return {
    ...{ logs, conversations },
    async [Symbol.asyncDispose]() {
      conversations[Symbol.dispose]();
      await dispose();
    },
  };
});

test("a page of a long text is as full as its characters allow", async () => {
  await using opened = await openStore();
  using store = createSqliteConversations({ ...opened });
  for (const character of ["x", "\u00e9", "語", "😀"]) {
    const width = Buffer.byteLength(character);
    const id = await conversationOf(store, "owner", character.repeat(50));
    for (let maxBytes = 4; maxBytes <= 13; maxBytes += 1) {
      const sizes = (await pagesOf(store, "owner", id, maxBytes)).map(({ pieces }) =>
        Buffer.byteLength(pieces.map(({ message }) => message.text).join("")),
      );
      const full = maxBytes - (maxBytes % width);
      assert.ok(
        sizes.slice(0, -1).every((size) => size === full),
        `${character} in ${maxBytes} bytes: ${sizes}`,
      );
    }
  }
});

describeKeyStore("sqlite", async () => {
  const { store, clock, [Symbol.asyncDispose]: dispose } = await openStore();
  return { store: createSqliteKeys({ store, clock }), [Symbol.asyncDispose]: dispose };
});
