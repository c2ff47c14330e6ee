import type { KeptTurn, LogBatch } from "../ports/turn-log.ts";

export interface FollowersOptions {
  /** Settles when the client's connection has taken the batch; rejects when the connection is gone. */
  readonly deliver: (requestId: string, batch: LogBatch) => Promise<void>;
  /** Counts a follower in; the returned function counts it out. */
  readonly watch: (turn: KeptTurn) => () => void;
  /** Hears of a follower that failed while its connection was open. */
  readonly onFault: (fault: unknown) => void;
}

interface Follower {
  readonly turn: KeptTurn;
  readonly controller: AbortController;
  readonly finished: Promise<void>;
}

/** What one connection follows: at most one follower a turn; following again moves it. */
export function createFollowers({ deliver, watch, onFault }: FollowersOptions) {
  const followers = new Map<string, Follower>();
  let closed = false;
  let isLeaving = false;

  async function run(
    turn: KeptTurn,
    after: number,
    {
      previous,
      signal,
      before,
    }: { previous: Follower | undefined; signal: AbortSignal; before: () => Promise<void> },
  ): Promise<void> {
    previous?.controller.abort();
    await previous?.finished;
    await before();
    for await (const batch of turn.log.follow({ after, signal })) await deliver(turn.record.id, batch);
  }

  return {
    isClosed: () => closed,
    has: (requestId: string) => followers.has(requestId),
    /**
     * Follows a turn from a position, after `before` has settled. The result settles when the follower has ended: the turn's last
     * event was delivered, another one took its place, or the connection is gone.
     */
    follow(
      turn: KeptTurn,
      after: number,
      before: () => Promise<void> = async () => undefined,
    ): Promise<void> {
      const { id } = turn.record;
      const previous = followers.get(id);
      const controller = new AbortController();
      if (closed || (isLeaving && !turn.log.ended)) controller.abort();
      const unwatch = watch(turn);
      const finished = run(turn, after, { previous, signal: controller.signal, before })
        .catch((fault: unknown) => {
          // A connection that is gone ends its followers; the turn and its log know nothing of it.
          if (!controller.signal.aborted) onFault(fault);
        })
        .finally(() => {
          unwatch();
          if (followers.get(id) === follower) followers.delete(id);
        });
      const follower = { turn, controller, finished };
      followers.set(id, follower);
      return finished;
    },
    /** Settles when everything that is followed was delivered to its end. */
    async settle(): Promise<void> {
      while (followers.size > 0) await Promise.all([...followers.values()].map(({ finished }) => finished));
    },
    /** From now on only what has its end is delivered: whatever else there is goes on elsewhere. */
    leave(): void {
      isLeaving = true;
      for (const { turn, controller } of followers.values()) if (!turn.log.ended) controller.abort();
    },
    async close(): Promise<void> {
      closed = true;
      for (const { controller } of followers.values()) controller.abort();
      await Promise.all([...followers.values()].map(({ finished }) => finished));
    },
  };
}
