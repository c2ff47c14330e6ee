import type { Caller } from "../ports/caller.ts";
import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { LiveTurn } from "../ports/peers.ts";
import type { KeptTurn, LogBatch } from "../ports/turn-log.ts";
import type { TurnRequest, WhenInterrupted, WhenUnwatched } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { createFollowers } from "./followers.ts";
import type { Turns } from "./turns.ts";

/** What a door does with what a session follows; each call settles when the client's connection has taken it. */
export interface Audience {
  deliver(requestId: string, batch: LogBatch): Promise<void>;
  /** A turn of a followed conversation; its events follow. */
  question(turn: LiveTurn): Promise<void>;
}

export interface SessionOptions {
  readonly caller: Caller;
  readonly turns: Turns;
  readonly conversations: ConversationStore;
  readonly clock: Clock;
  /** Turns asked here that may run at the same time; as many unnamed ones may wait. */
  readonly mostInFlight: number;
  /** What becomes of a turn without an id once nobody follows it. */
  readonly unnamedGraceMs: number;
  readonly audience: Audience;
  /** Hears of a log that could not be followed to its end while the connection was open. */
  readonly onFault: (fault: unknown) => void;
}

/** One request as a door hands it over. */
export interface SessionAsk {
  /** The client's name for it. */
  readonly id?: string;
  readonly request: TurnRequest;
  /** A conversation's id, `new`, or absent for the session's own. */
  readonly conversation?: string;
  readonly whenUnwatched?: WhenUnwatched;
  /** Default `error`. */
  readonly whenInterrupted?: WhenInterrupted;
}

/** One client's connection, whatever its wire: what it asked, what it follows. */
export interface Session {
  /**
   * Starts a turn and follows it; settles when it has started and throws the refusals of `Turns.start`. One without an id waits
   * for those asked before it: then it settles at once, and a refusal goes to `onRefused`, which must not reject.
   */
  ask(ask: SessionAsk, onRefused: (refusal: unknown) => Promise<void>): Promise<void>;
  /** Throws `request_not_found`, `request_ended`, `persona_not_found`. */
  cancel(requestId: string, lane: string | undefined): Promise<void>;
  /**
   * Follows a turn from a position; `onFound` is awaited before the first event. Settles after it.
   * Throws `request_not_found`, `seq_out_of_range`.
   */
  resume(requestId: string, after: number, onFound: (turn: KeptTurn) => Promise<void>): Promise<void>;
  /** Follows a conversation; `onFound` is awaited before anything of it. Throws `conversation_not_found`. */
  follow(conversationId: string, onFound: (running: readonly LiveTurn[]) => Promise<void>): Promise<void>;
  /**
   * Settles when everything that is followed was delivered to its end, and every request that waited had its answer. When `over`
   * settles nothing runs here any more: what has no end by then is not waited for.
   */
  settle(over: Promise<unknown>): Promise<void>;
  /** Stops following; what that means for the turns is theirs to know. */
  close(): Promise<void>;
}

export function createSession(options: SessionOptions): Session {
  const { caller, turns, conversations, clock, mostInFlight, unnamedGraceMs, audience, onFault } = options;
  const { owner } = caller;
  const followers = createFollowers({
    deliver: audience.deliver,
    watch: turns.watch,
    onFault,
  });
  const subscriptions = new Map<string, () => void>();
  let ownConversation: string | undefined;
  let inFlight = 0;
  let waiting = 0;
  let lastUnnamed: Promise<void> = Promise.resolve();

  async function findConversation(asked: string | undefined): Promise<string> {
    if (asked !== undefined && asked !== "new") return asked;
    const kept = asked === "new" || ownConversation === undefined ? undefined : ownConversation;
    if (kept !== undefined && (await conversations.head(owner, kept)) !== undefined) return kept;
    ownConversation = await conversations.create(owner);
    return ownConversation;
  }

  async function start(ask: SessionAsk, id: string): Promise<KeptTurn> {
    if (inFlight >= mostInFlight) throw new TroupeError("too_many_requests");
    inFlight += 1;
    let counted = true;
    const countOut = () => {
      if (counted) inFlight -= 1;
      counted = false;
    };
    try {
      const { turn } = await turns.start({
        caller,
        id,
        isNamed: ask.id !== undefined,
        request: ask.request,
        conversation: ask.conversation,
        findConversation: () => findConversation(ask.conversation),
        whenUnwatched: ask.whenUnwatched ?? (ask.id === undefined ? unnamedGraceMs : "finish"),
        whenInterrupted: ask.whenInterrupted ?? "error",
      });
      const running = turns.running(owner, id);
      if (running === undefined) countOut();
      else running.ended.addEventListener("abort", countOut, { once: true });
      return turn;
    } catch (error) {
      countOut();
      throw error;
    }
  }

  /**
   * One after another: an unnamed request starts when the answer to the one before it was sent. It counts as waiting until its refusal
   * was sent as well, so that refusals do not pile up for a client that does not read.
   */
  async function askUnnamed(ask: SessionAsk, onRefused: (refusal: unknown) => Promise<void>): Promise<void> {
    waiting += 1;
    const before = lastUnnamed;
    const finished = Promise.withResolvers<void>();
    lastUnnamed = finished.promise;
    try {
      await before;
      if (followers.isClosed()) return;
      const id = clock.newId();
      const turn = await start(ask, id);
      void followers.follow(turn, 0).then(finished.resolve);
    } catch (error) {
      await onRefused(error);
      finished.resolve();
    } finally {
      waiting -= 1;
    }
  }

  return {
    async ask(ask, onRefused) {
      if (ask.id !== undefined) {
        void followers.follow(await start(ask, ask.id), 0);
        return;
      }
      if (waiting >= mostInFlight) throw new TroupeError("too_many_requests");
      void askUnnamed(ask, onRefused);
    },
    cancel: (requestId, lane) => turns.cancel(owner, requestId, lane),
    async resume(requestId, after, onFound) {
      const turn = await turns.find(owner, requestId);
      if (turn === undefined) throw new TroupeError("request_not_found", { field: "data.request_id" });
      if (after > turn.log.headSeq) throw new TroupeError("seq_out_of_range", { field: "data.after_seq" });
      const found = Promise.withResolvers<void>();
      const followed = followers.follow(turn, after, () => onFound(turn).then(found.resolve));
      await Promise.race([found.promise, followed]);
    },
    async follow(conversationId, onFound) {
      if ((await conversations.head(owner, conversationId)) === undefined) {
        throw new TroupeError("conversation_not_found", { field: "data.conversation_id" });
      }
      // Nobody would end the subscription of a connection that has gone meanwhile.
      if (followers.isClosed()) return;
      const found = Promise.withResolvers<void>();
      const join = (turn: LiveTurn) => {
        if (followers.has(turn.record.id)) return;
        void followers.follow(turn, 0, async () => {
          // A turn that begins meanwhile may be heard of before those that ran are known.
          await found.promise;
          await audience.question(turn);
        });
      };
      subscriptions.get(conversationId)?.();
      subscriptions.set(conversationId, turns.subscribe(owner, conversationId, join));
      try {
        const running = await turns.runningIn(owner, conversationId);
        await onFound(running);
        for (const turn of running) join(turn);
      } finally {
        found.resolve();
      }
    },
    async settle(over) {
      void over.then(followers.leave);
      await lastUnnamed;
      await followers.settle();
    },
    async close() {
      for (const unsubscribe of subscriptions.values()) unsubscribe();
      subscriptions.clear();
      await followers.close();
    },
  };
}
