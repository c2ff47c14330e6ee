import { mkdir } from "node:fs/promises";
import path from "node:path";
import { createMemoryConversations } from "../adapters/memory/memory-conversations.ts";
import { createMemoryTurnLogs } from "../adapters/memory/memory-turn-logs.ts";
import { createSqliteConversations } from "../adapters/sqlite/sqlite-conversations.ts";
import { createSqliteStore } from "../adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../adapters/sqlite/sqlite-turn-logs.ts";
import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { TurnLogStore } from "../ports/turn-log.ts";
import type { Settings } from "./settings.ts";

/** Where this server keeps what must not be lost. */
export interface Stores extends AsyncDisposable {
  readonly logs: TurnLogStore & { readonly bytes: number; readonly count: number };
  readonly conversations: ConversationStore;
}

/** Opens the stores that the settings ask for: an SQLite database in the data folder, or memory. */
export async function openStores(
  settings: Settings,
  { clock, onFault }: { clock: Clock; onFault: (fault: unknown) => void },
): Promise<Stores> {
  const { logRetentionMs: retentionMs, logBytes: mostBytes } = settings;
  if (settings.store === "memory") {
    return {
      logs: createMemoryTurnLogs({ clock, retentionMs: Math.min(retentionMs, 15 * 60_000), mostBytes }),
      conversations: createMemoryConversations({ clock, mostBytes: settings.conversationBytes }),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  await mkdir(settings.data, { recursive: true, mode: 0o700 });
  const file = path.join(settings.data, "troupe.db");
  const store = await createSqliteStore({ clock, file, synchronous: settings.synchronous });
  // What is left open would keep the process from ending.
  await using opening = new AsyncDisposableStack();
  opening.use(store);
  const conversations = opening.use(createSqliteConversations({ store, clock, onFault }));
  const { answerRetentionMs } = settings;
  const logs = opening.use(
    await createSqliteTurnLogs({ store, clock, retentionMs, answerRetentionMs, mostBytes, onFault }),
  );
  const opened = opening.move();
  return { logs, conversations, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
