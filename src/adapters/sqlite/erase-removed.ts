import { firstSlice } from "./row-slices.ts";
import type { OwnStore, SqliteStore } from "./sqlite-store.ts";
import { isStorageUnavailable } from "./storage-faults.ts";

/** Erases what is left of deleted conversations. */
export interface Eraser extends Disposable {
  /** Settles when the conversation's messages are gone, and their words from the search index. */
  erase(owner: string, id: string): Promise<void>;
}

/**
 * Begins with what an earlier process left. What the storage does not take now is erased when it works again; until it is disposed,
 * `onFault` hears why anything else could not be erased, which is tried again at the next start.
 */
export function createEraser(store: SqliteStore, onFault: (fault: unknown) => void): Eraser {
  let stopped = false;

  /** In slices, which take turns with those of other callers. */
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
    // Without an outage a damaged page is in the way, and stays there.
    if (isStorageUnavailable(fault) && store.fault !== undefined)
      void store.recovered().then(eraseLeft).catch(report);
    else onFault(fault);
  }
  eraseLeft().catch(report);

  return {
    erase: (owner, id) =>
      eraseOne(store.of(owner), id).catch((fault: unknown) => {
        report(fault);
        throw fault;
      }),
    [Symbol.dispose]() {
      stopped = true;
    },
  };
}
