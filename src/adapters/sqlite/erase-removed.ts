import { isStorageUnavailable } from "../../protocol/errors.ts";
import { firstSlice } from "./forget-turns.ts";
import type { OwnStore, SqliteStore } from "./sqlite-store.ts";

/** Erases the messages of deleted conversations. */
interface Eraser extends Disposable {
  /**
   * Settles when the conversation's messages are gone, and their words are gone from the search index. Settles also if that fails: it goes
   * on later, and the caller has more to do for the deletion.
   */
  erase(owner: string, id: string): Promise<void>;
}

/**
 * Starts with the conversations that an earlier process left. After a storage outage it goes on. Any other failure
 * is reported until the eraser is disposed; such a conversation is tried again at the next start.
 */
export function createEraser(store: SqliteStore): Eraser {
  let stopped = false;

  /** Erases in slices, which take turns with the slices of other callers. */
  async function eraseOne(own: OwnStore, id: string): Promise<void> {
    for (;;) {
      const messages = firstSlice(await own.read("messagesToErase", id));
      if (stopped) return;
      if (messages.length === 0) break;
      await own.writeSlice(messages.map(({ number = null }) => ["eraseMessage", number]));
    }
    await own.writeSlice([["eraseConversation", id]]);
  }

  async function eraseLeft(): Promise<void> {
    for (const { id } of await store.read("removedConversations")) await eraseOne(store, String(id));
  }

  function report(fault: unknown): void {
    if (stopped) return;
    // Without an outage the cause is a damaged page, and waiting does not help.
    if (isStorageUnavailable(fault) && store.fault !== undefined)
      void store.recovered().then(eraseLeft).catch(report);
    else store.report(fault);
  }
  eraseLeft().catch(report);

  return {
    erase: (owner, id) => eraseOne(store.of(owner), id).catch(report),
    [Symbol.dispose]() {
      stopped = true;
    },
  };
}
