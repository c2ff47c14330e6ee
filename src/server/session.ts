import type { Caller } from "../ports/caller.ts";
import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import { HeldBytes, type Hold } from "../ports/fair-shares.ts";
import type { Observer } from "../ports/observer.ts";
import type { KeptTurn } from "../ports/turn-log.ts";
import type { TurnRequest, WhenInterrupted, WhenUnwatched } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { ConversationFollows, type FollowPlace, type FoundConversation } from "./conversation-follows.ts";
import { checkPosition, Followers, type Recipient } from "./followers.ts";
import type { Question } from "./question.ts";
import type { Turns } from "./turns.ts";

/** The door's side of a session: it sends followed turns to the client. */
export interface Audience extends Recipient {
  /** Announces a turn of a followed conversation, before its events. Settles when the client's connection has taken it. */
  question(question: Question): Promise<void>;
}

/** Shared by all sessions of a server. */
interface SessionOptions {
  readonly turns: Turns;
  readonly conversations: ConversationStore;
  readonly clock: Clock;
  /** Maximum running turns that were asked in one session. As many unnamed ones may wait. */
  readonly maxInFlight: number;
  /** Maximum bytes that the requests of one session may hold while they wait or run. */
  readonly maxBytes: number;
  /** Time after which a turn without an id is cancelled once it has lost its last follower. */
  readonly unnamedGraceMs: number;
  /** Is told of a log that could not be followed to its end while the connection was open. */
  readonly observer: Observer;
}

/** A request as a door passes it on. */
export interface SessionAsk {
  /** The client's id for it. */
  readonly id?: string;
  readonly request: TurnRequest;
  /** The message that the client sent, used to recognize a repeat. */
  readonly content: object;
  /** A conversation's id, `new`, or absent for the session's own. */
  readonly conversation?: string;
  readonly whenUnwatched?: WhenUnwatched;
  /** Default `error`. */
  readonly whenInterrupted?: WhenInterrupted;
  /** See `Ask.retrySeq`; only with an id. */
  readonly retrySeq?: number;
}

/** One client's connection, independent of its wire: the requests it has asked, and the turns it follows. */
export class Session {
  readonly #options: SessionOptions;
  readonly #caller: Caller;
  readonly #audience: Audience;
  readonly #followers: Followers;
  #follows: ConversationFollows | undefined;
  #ownConversation: string | undefined;
  #held: HeldBytes | undefined;
  #inFlight = 0;
  #waiting = 0;
  /** Settles when all requests without an id have ended; `undefined` if there are none. */
  #lastUnnamed: Promise<void> | undefined;

  constructor(options: SessionOptions, caller: Caller, audience: Audience) {
    this.#options = options;
    this.#caller = caller;
    this.#audience = audience;
    this.#followers = new Followers(audience, options);
  }

  /**
   * Starts a turn and follows it. Settles when the turn has started, and throws the refusals of `Turns.start`. A request without an id
   * waits for those before it: the call settles at once, and a refusal goes to `onRefused`, which must not reject.
   */
  async ask(ask: SessionAsk, onRefused: (refusal: unknown) => Promise<void>): Promise<void> {
    if (ask.id !== undefined) {
      const turn = await this.#start(ask, ask.id);
      void this.#followers.follow(turn, placeAfter(turn, ask.retrySeq));
      return;
    }
    if (this.#waiting >= this.#options.maxInFlight) throw new TroupeError("too_many_requests");
    void this.#askUnnamed(ask, this.#hold(ask), onRefused);
  }

  /** Counts the request's memory from now on, in the limits of this connection, its caller and the server. */
  #hold({ request }: SessionAsk): Hold {
    const { turns, maxBytes } = this.#options;
    const whose = "The requests of one connection";
    this.#held ??= new HeldBytes({ maxBytes, code: "too_many_requests", whose });
    return turns.hold(this.#caller, request, this.#held);
  }

  /** Throws `request_not_found`, `request_ended`, `persona_not_found`. */
  cancel(requestId: string, lane: string | undefined): Promise<void> {
    return this.#options.turns.cancel(this.#caller.owner, requestId, lane);
  }

  /**
   * Follows a turn from a position. `onFound` is awaited before the first event. Settles after `onFound`.
   * Throws `request_not_found`, `seq_out_of_range`.
   */
  async resume(requestId: string, after: number, onFound: (turn: KeptTurn) => Promise<void>): Promise<void> {
    const turn = await this.#options.turns.find(this.#caller.owner, requestId);
    if (turn === undefined) throw new TroupeError("request_not_found", { field: "requestId" });
    await checkPosition(turn, after, "afterSeq");
    const found = Promise.withResolvers<void>();
    const followed = this.#followers.follow(turn, after, () => onFound(turn).then(found.resolve));
    await Promise.race([found.promise, followed]);
  }

  /** See `ConversationFollows.follow`. */
  follow(
    conversationId: string,
    place: FollowPlace,
    onFound: (found: FoundConversation) => Promise<void>,
  ): Promise<void> {
    this.#follows ??= new ConversationFollows(this.#options, this.#caller.owner, {
      audience: this.#audience,
      followers: this.#followers,
    });
    return this.#follows.follow(conversationId, place, onFound);
  }

  /** Stops following a conversation, and the turns that came through it. */
  unfollow(conversationId: string): void {
    this.#follows?.unfollow(conversationId);
  }

  /**
   * Settles when every followed turn was delivered to its end, and every waiting request has its answer. When `over` settles, nothing
   * runs here any more: turns without an end are then no longer waited for.
   */
  async settle(over: Promise<unknown>): Promise<void> {
    void over.then(() => this.#followers.leave());
    await this.#lastUnnamed;
    await this.#followers.settle();
  }

  /** Whether its client can go on with everything at another server that shares the stores. */
  get canMove(): boolean {
    // A client cannot name a request without an id at another server.
    return this.#lastUnnamed === undefined && this.#followers.canMove;
  }

  /** Stops following. The turns decide for themselves whether to go on. */
  async close(): Promise<void> {
    this.#follows?.close();
    await this.#followers.close();
  }

  async #start(ask: SessionAsk, id: string, waited?: Hold): Promise<KeptTurn> {
    const { turns, maxInFlight, unnamedGraceMs } = this.#options;
    if (this.#inFlight >= maxInFlight) throw new TroupeError("too_many_requests");
    this.#inFlight += 1;
    let counted = true;
    const countOut = () => {
      if (counted) this.#inFlight -= 1;
      counted = false;
    };
    try {
      const { turn, started } = await turns.start({
        caller: this.#caller,
        id,
        isNamed: ask.id !== undefined,
        request: ask.request,
        content: ask.content,
        hold: () => waited ?? this.#hold(ask),
        conversation: ask.conversation,
        ownConversation: this.#ownConversation,
        whenUnwatched: ask.whenUnwatched ?? (ask.id === undefined ? unnamedGraceMs : "finish"),
        whenInterrupted: ask.whenInterrupted ?? "error",
        ...(ask.retrySeq === undefined ? {} : { retrySeq: ask.retrySeq }),
      });
      // Only now: a refused request makes no conversation.
      if (started && (ask.conversation ?? "new") === "new")
        this.#ownConversation = turn.record.conversationId ?? this.#ownConversation;
      const running = turns.running(this.#caller.owner, id);
      if (running === undefined) countOut();
      else running.ended.addEventListener("abort", countOut, { once: true });
      return turn;
    } catch (error) {
      countOut();
      throw error;
    }
  }

  /**
   * Starts unnamed requests one after another, each once the answer to the one before it was sent. A refused request counts as waiting
   * until its refusal was sent, so that refusals do not pile up for a client that does not read.
   */
  async #askUnnamed(
    ask: SessionAsk,
    hold: Hold,
    onRefused: (refusal: unknown) => Promise<void>,
  ): Promise<void> {
    this.#waiting += 1;
    const before = this.#lastUnnamed;
    const finished = Promise.withResolvers<void>();
    this.#lastUnnamed = finished.promise;
    const finish = () => {
      finished.resolve();
      if (this.#lastUnnamed === finished.promise) this.#lastUnnamed = undefined;
    };
    try {
      await before;
      if (this.#followers.isClosed) {
        hold.release();
        // The requests that wait for this one release their holds as well.
        finish();
        return;
      }
      const turn = await this.#start(ask, this.#options.clock.newId(), hold);
      void this.#followers.follow(turn, 0).then(finish);
    } catch (error) {
      hold.release();
      await onRefused(error);
      finish();
    } finally {
      this.#waiting -= 1;
    }
  }
}

/**
 * The position to follow from for a client that has seen a request's end at `retrySeq`: after it, or just before it if the retry did not
 * run.
 */
function placeAfter({ log }: KeptTurn, retrySeq = 0): number {
  return log.ended && log.headSeq === retrySeq ? Math.max(0, retrySeq - 1) : retrySeq;
}
