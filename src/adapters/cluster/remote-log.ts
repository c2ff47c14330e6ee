import type { KeptTurn, LogBatch } from "../../ports/turn-log.ts";
import { parseEvents } from "../sqlite/event-codec.ts";
import type { FoundTurn, LogHub } from "./log-hub.ts";

/**
 * Makes the logs of turns that run in another process, or have ended. What they know of themselves is as old as the answer they are
 * made of; a follower asks for its next batch when it has taken the one before it, so nothing piles up on the way.
 */
export function createRemoteLogs(
  hub: LogHub,
  say: (said: Promise<void>) => void,
): (found: FoundTurn) => KeptTurn {
  let lastFollowing = 0;

  async function* follow(
    { record }: FoundTurn,
    { after, signal }: { readonly after: number; readonly signal: AbortSignal },
  ): AsyncGenerator<LogBatch> {
    if (signal.aborted) return;
    lastFollowing += 1;
    const following = lastFollowing;
    // Ends a `next` that waits as well.
    const stop = () => say(hub.unfollow(following));
    signal.addEventListener("abort", stop, { once: true });
    try {
      await hub.follow(following, record.owner, record.id, after);
      while (!signal.aborted) {
        const batch = await hub.next(following);
        if (batch === undefined) return;
        yield parseEvents<LogBatch>(batch);
      }
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
    }
  }

  return (found) => ({
    record: found.record,
    log: {
      headSeq: found.headSeq,
      ended: found.ended,
      append: () => Promise.reject(new Error("A turn is written to only where it runs.")),
      follow: (from) => follow(found, from),
      leave: () => undefined,
    },
  });
}
