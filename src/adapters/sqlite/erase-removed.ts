import type { SqliteStore } from "./sqlite-store.ts";
import { isStorageUnavailable } from "./storage-faults.ts";

/** Messages that one commit deletes: each takes its words out of the index, and answers wait for the commit. */
const messagesPerCommit = 100;
/** Pages of the index that one commit merges; measured at 3 ms, at most 20. */
const pagesPerCommit = 32;

/** Erases what is left of deleted conversations. */
export interface Eraser extends Disposable {
  /** Settles when their messages are gone from the table; their words leave the index behind that, some in each beat. */
  erase(): Promise<void>;
}

/**
 * Begins with what an earlier process left. What the storage does not take now is erased when it works again; until it is disposed,
 * `onFault` hears why anything else could not be erased, which is tried again at the next start.
 */
export function createEraser(store: SqliteStore, onFault: (fault: unknown) => void): Eraser {
  let stopped = false;
  let merging = false;

  async function eraseMessages(): Promise<boolean> {
    for (;;) {
      const removed = await store.read("removedConversations");
      const filled = removed.filter((row) => row.has_messages === 1);
      if (stopped || filled.length === 0) return removed.length > 0;
      for (const { id = null } of filled) await store.write([["eraseMessages", id, messagesPerCommit]], true);
    }
  }

  /** Merges the index as a whole, in small steps; conversations that were deleted meanwhile need another round. */
  async function eraseWords(): Promise<void> {
    if (merging) return;
    merging = true;
    try {
      for (;;) {
        const removed = await store.read("removedConversations");
        const emptied = removed.filter((row) => row.has_messages === 0);
        if (stopped || emptied.length === 0) return;
        await mergeAll();
        if (stopped) return;
        await store.write(
          emptied.map(({ id = null }) => ["eraseConversation", id]),
          false,
        );
      }
    } finally {
      merging = false;
    }
  }

  async function mergeAll(): Promise<void> {
    const pages = Number((await store.read("countWordPages"))[0]?.pages);
    // The first step begins a merge of everything and the others go on with it.
    for (let merged = 0; merged <= pages + pagesPerCommit && !stopped; merged += pagesPerCommit)
      await store.write([["mergeWords", merged === 0 ? -pagesPerCommit : pagesPerCommit]], false);
  }

  function report(fault: unknown): void {
    if (stopped) return;
    if (isStorageUnavailable(fault)) void store.recovered().then(erase).catch(report);
    else onFault(fault);
  }

  async function erase(): Promise<void> {
    if (await eraseMessages()) eraseWords().catch(report);
  }
  erase().catch(report);

  return {
    erase: () =>
      erase().catch((fault: unknown) => {
        report(fault);
        throw fault;
      }),
    [Symbol.dispose]() {
      stopped = true;
    },
  };
}
