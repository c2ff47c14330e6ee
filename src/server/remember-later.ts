import { recoverLanes } from "../chat/recovered-lanes.ts";
import type { Clock } from "../ports/clock.ts";
import { followLog } from "../ports/follow-log.ts";
import type { Observer } from "../ports/observer.ts";
import type { TurnEvent } from "../ports/turn-event.ts";
import type { KeptTurn } from "../ports/turn-log.ts";
import { isStorageUnavailable, type TroupeError } from "../protocol/errors.ts";
import { type MessageStores, rememberPartial } from "./remember-partial.ts";

export interface RememberLater {
  /** Called when a turn has ended with an error. */
  noteEnd(turn: KeptTurn, error: TroupeError): void;
  /** Tries once more to store the remaining turns, then gives them up. */
  close(): Promise<void>;
}

/** Time until the next try. */
const retryMs = 5_000;

/**
 * Stores the answers of turns that ended because storage failed. Their text could not be put into their conversation either, so that is
 * retried until storage works. The observer is told if anything else prevents it.
 */
export function createRememberLater(
  stores: MessageStores & { readonly clock: Clock },
  observer: Observer,
): RememberLater {
  const closing = new AbortController();
  const waiting = new Set<Promise<void>>();

  async function remember({ record, log }: KeptTurn): Promise<void> {
    const events: TurnEvent[] = [];
    for await (const batch of followLog(log, { after: 0 })) {
      if (batch.type === "events") events.push(...batch.events.map(({ event }) => event));
    }
    for (;;) {
      await stores.clock.sleep(retryMs, closing.signal);
      try {
        return await rememberPartial(record, recoverLanes(events), stores);
      } catch (fault) {
        if (!isStorageUnavailable(fault)) throw fault;
        // The failing storage was reported when it started to fail.
        if (closing.signal.aborted) return;
      }
    }
  }

  return {
    noteEnd(turn, error) {
      if (!isStorageUnavailable(error) || turn.record.conversationId === undefined) return;
      const remembered = remember(turn)
        .catch((error: unknown) => observer.faulted?.({ where: "turn", error, requestId: turn.record.id }))
        .finally(() => waiting.delete(remembered));
      waiting.add(remembered);
    },
    async close() {
      closing.abort();
      await Promise.all(waiting);
    },
  };
}
