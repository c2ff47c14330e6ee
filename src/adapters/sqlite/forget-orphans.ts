import type { TurnLogStore } from "../../ports/turn-log.ts";
import type { SqliteStore } from "./sqlite-store.ts";

export interface OrphanOptions {
  readonly store: SqliteStore;
  readonly logs: Pick<TurnLogStore, "forget">;
}

/**
 * Forgets ended turns whose conversation is gone, because a process ended in the middle of a deletion. It runs once, at the start, a few
 * hundred turns at a time, until it is disposed.
 */
export function forgetOrphans({ store, logs }: OrphanOptions): Disposable {
  const stopped = new AbortController();

  async function forget(): Promise<void> {
    for (let last = 0; !stopped.signal.aborted; ) {
      const rows = await store.read("conversationsOfTurns", last);
      if (rows.length === 0) return;
      last = Number(rows.at(-1)?.number);
      for (const { owner, conversation_id: id, is_kept: isKept } of rows)
        if (isKept === 0 && !stopped.signal.aborted) await logs.forget(String(owner), String(id));
    }
  }
  forget().catch((fault: unknown) => {
    if (!stopped.signal.aborted) store.report(fault);
  });

  return { [Symbol.dispose]: () => stopped.abort() };
}
