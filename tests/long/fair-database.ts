import assert from "node:assert/strict";
import { it } from "node:test";
import { createSqliteConversations } from "../../src/adapters/sqlite/sqlite-conversations.ts";
import {
  createSqliteStore,
  openServedTime,
  type SqliteStore,
} from "../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../../src/adapters/sqlite/sqlite-turn-logs.ts";
import { systemClock } from "../../src/adapters/system/system.ts";
import type { ConversationStore } from "../../src/ports/conversation-store.ts";
import type { TurnEvent } from "../../src/ports/turn-event.ts";
import type { TurnLogStore } from "../../src/ports/turn-log.ts";
import { dataFolder, failing } from "../adapters/sqlite/open-store.ts";
import { asks } from "../ports/conversations-under-test.ts";
import { terminal, textOf } from "../ports/log-reading.ts";
import { created } from "../ports/turn-log-store-contract.ts";

interface Stores {
  readonly store: SqliteStore;
  readonly conversations: ConversationStore;
  readonly logs: TurnLogStore;
}

/** The work of one caller while another's answer goes on. `prepare` runs before the answer is watched. */
interface Attack {
  readonly prepare: (stores: Stores) => Promise<() => Promise<unknown>>;
}

/** A lane's last text is committed at once. */
const said: TurnEvent = { type: "text", text: "said", final: true };
const megabyte = "word ".repeat(200_000);
/** A neighbour may wait this many milliseconds more than three times as long as without the attack. */
const maxMoreMs = 100;
const controlMs = 2_000;

async function longConversation({ conversations }: Stores, texts: readonly string[]): Promise<string> {
  const id = await conversations.create("attacker");
  for (const text of texts) await conversations.append("attacker", id, undefined, [asks(text)]);
  return id;
}

const attacks: Readonly<Record<string, Attack>> = {
  "a search over 100 crafted messages": {
    async prepare(stores) {
      await longConversation(
        stores,
        Array.from({ length: 100 }, () => "xneedle\u0301\u0323 ".repeat(20_000)),
      );
      return () => stores.conversations.search("attacker", "needle", 100);
    },
  },
  "deleting a conversation of 100 MB": {
    async prepare(stores) {
      const id = await longConversation(
        stores,
        Array.from({ length: 100 }, () => megabyte),
      );
      return () => stores.conversations.remove("attacker", id);
    },
  },
  "60 questions of 1 MB": {
    async prepare({ conversations }) {
      const id = await conversations.create("attacker");
      const questions = Array.from({ length: 60 }, () => asks(megabyte));
      return () =>
        Promise.all(questions.map((question) => conversations.append("attacker", id, undefined, [question])));
    },
  },
  "forgetting 6,000 turns": {
    async prepare({ logs }) {
      for (let number = 0; number < 6_000; number += 60)
        await Promise.all(
          Array.from({ length: 60 }, async (_, place) => {
            const record = { conversationId: "theirs", contentHash: "hash" };
            const made = await logs.create({ ...record, owner: "attacker", id: `t-${number + place}` });
            assert.ok(made.type === "created");
            await made.log.append([textOf("said"), terminal]);
          }),
        );
      return () => logs.forget("attacker", "theirs");
    },
  },
};

/** Appends for a neighbour until `over`, one step after the other. Returns the longest step in milliseconds. */
async function longestPause(logs: TurnLogStore, id: string, over: Promise<unknown>): Promise<number> {
  const log = await created(logs, "neighbour", id);
  let isOver = false;
  void over.finally(() => {
    isOver = true;
  });
  let longest = 0;
  while (!isOver) {
    const startedAtMs = performance.now();
    await log.append([said]);
    longest = Math.max(longest, performance.now() - startedAtMs);
  }
  await log.append([terminal]);
  return longest;
}

for (const [name, { prepare }] of Object.entries(attacks)) {
  it(`${name}: a neighbour's answer goes on`, async () => {
    await using place = await dataFolder();
    await using store = await createSqliteStore({
      ...{ clock: systemClock, file: place.file, synchronous: "NORMAL", observer: failing },
    });
    using conversations = createSqliteConversations({ store, clock: systemClock });
    const served = await openServedTime(store, systemClock);
    const retention = { retentionMs: 3_600_000, answerRetentionMs: 3_600_000 };
    using logs = await createSqliteTurnLogs({
      ...{ store, clock: systemClock, served, ...retention, maxBytes: 100_000_000 },
    });
    const attack = await prepare({ store, conversations, logs });
    const control = await longestPause(logs, "control", systemClock.sleep(controlMs));
    const startedAtMs = performance.now();
    const attacked = await longestPause(logs, "attacked", attack());
    const tookMs = performance.now() - startedAtMs;
    const figure = (ms: number) => `${ms.toFixed(0)} ms`;
    console.log(
      `${name}: ${figure(tookMs)}, longest pause ${figure(attacked)}, without it ${figure(control)}`,
    );
    assert.ok(attacked <= 3 * control + maxMoreMs, `${figure(attacked)} instead of ${figure(control)}`);
  });
}
