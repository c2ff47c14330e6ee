import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import { faultsOf, type Observer } from "../ports/observer.ts";
import type { LiveTurn } from "../ports/peers.ts";
import type { KeptTurn } from "../ports/turn-log.ts";
import { isStorageUnavailable, TroupeError } from "../protocol/errors.ts";
import { checkPosition, type Followers } from "./followers.ts";
import { type Question, questionOf, questionOfEnded } from "./question.ts";
import type { Turns } from "./turns.ts";

/** A conversation that is about to be followed. */
export interface FoundConversation {
  readonly running: readonly LiveTurn[];
  /** The request that was asked last; absent before the first. */
  readonly newest?: string | undefined;
}

/** Where a follow starts. Without a place it starts with the running requests. */
export interface FollowPlace {
  /** Turns asked after this request come first. Empty: all turns of the conversation. */
  readonly after?: string | undefined;
  /** The last number that the client has seen of the request `after`: the rest of that one comes before all others. */
  readonly afterSeq?: number | undefined;
}

interface ConversationFollowsOptions {
  readonly turns: Pick<Turns, "find" | "runningIn" | "subscribe">;
  readonly conversations: ConversationStore;
  readonly clock: Clock;
  /** Is told if turns could not be looked up. */
  readonly observer: Observer;
}

/** The connection that follows. */
interface Client {
  /** Settles when the client's connection has taken the question; the turn's events follow. */
  readonly audience: { question(question: Question): Promise<void> };
  readonly followers: Followers;
}

/** One conversation that a connection follows. */
interface Subscription {
  isOver: boolean;
  readonly unsubscribe: () => void;
  /** Each stops following one turn that came through this subscription. */
  readonly stops: Set<() => void>;
}

/** A turn of which the client has seen the first messages. */
interface Rest {
  readonly turn: KeptTurn;
  readonly afterSeq: number;
}

/** The turns that a client has missed. */
interface CatchUp {
  readonly rest: Rest | undefined;
  readonly asked: readonly string[];
  readonly running: readonly LiveTurn[];
}

/** From one attempt to read a missed turn to the next, while the storage does not answer, milliseconds. */
const readAgainMs = 1_000;

/** The conversations that one connection follows, with every turn of them. */
export class ConversationFollows {
  readonly #options: ConversationFollowsOptions;
  readonly #owner: string;
  readonly #client: Client;
  readonly #subscriptions = new Map<string, Subscription>();

  constructor(options: ConversationFollowsOptions, owner: string, client: Client) {
    this.#options = options;
    this.#owner = owner;
    this.#client = client;
  }

  /** Stops following all conversations. */
  close(): void {
    for (const conversationId of [...this.#subscriptions.keys()]) this.unfollow(conversationId);
  }

  /**
   * Follows a conversation. `onFound` is awaited before anything of it is delivered. With a place, the turns after it come first, one
   * after another, if their logs are still stored. Throws `conversation_not_found`, `request_not_found`, `seq_out_of_range`, and
   * `invalid_message` for a number without its request.
   */
  async follow(
    conversationId: string,
    { after, afterSeq }: FollowPlace,
    onFound: (found: FoundConversation) => Promise<void>,
  ): Promise<void> {
    const { turns, conversations } = this.#options;
    const owner = this.#owner;
    if ((await conversations.head(owner, conversationId)) === undefined) {
      throw new TroupeError("conversation_not_found", { field: "conversationId" });
    }
    const asked = await conversations.requests(owner, conversationId, after);
    if (asked === undefined) throw new TroupeError("request_not_found", { field: "after" });
    const rest = afterSeq === undefined ? undefined : await this.#findRest(after, afterSeq);
    // The connection has closed meanwhile, and would never end the subscription.
    if (this.#client.followers.isClosed) return;
    const found = Promise.withResolvers<void>();
    const join = (turn: LiveTurn) => {
      // A new turn may be reported before the running ones are known, so its events wait for `found`.
      const question = questionOf(turn);
      if (question !== undefined) void this.#join(subscription, turn, question, found.promise);
    };
    const before = this.#subscriptions.get(conversationId);
    this.#end(before);
    // Turns that came through the previous subscription are still followed.
    const subscription: Subscription = {
      isOver: false,
      unsubscribe: turns.subscribe(owner, conversationId, join),
      stops: before?.stops ?? new Set(),
    };
    this.#subscriptions.set(conversationId, subscription);
    let running: readonly LiveTurn[] = [];
    try {
      running = await turns.runningIn(owner, conversationId);
      await onFound({ running, newest: asked.at(-1) ?? (after || undefined) });
    } catch (fault) {
      found.resolve();
      throw fault;
    }
    void this.#catchUp(subscription, { rest, asked: after === undefined ? [] : asked, running })
      .catch(faultsOf(this.#options.observer, "connection"))
      .finally(() => {
        for (const turn of running) join(turn);
        found.resolve();
      });
  }

  /** Stops following a conversation, and the turns that came through it. */
  unfollow(conversationId: string): void {
    const subscription = this.#subscriptions.get(conversationId);
    this.#end(subscription);
    for (const stop of subscription?.stops ?? []) stop();
    this.#subscriptions.delete(conversationId);
  }

  #end(subscription: Subscription | undefined): void {
    if (subscription === undefined) return;
    subscription.isOver = true;
    subscription.unsubscribe();
  }

  /** The turn that the client knows up to a number, if it has more now. */
  async #findRest(after = "", afterSeq: number): Promise<Rest | undefined> {
    const turn = await this.#options.turns.find(this.#owner, after);
    // A turn that this connection follows anyway goes on where it is.
    if (turn === undefined || this.#client.followers.has(after)) return undefined;
    await checkPosition(turn, afterSeq, "afterSeq");
    const { headSeq, ended } = turn.log;
    return ended && afterSeq === headSeq ? undefined : { turn, afterSeq };
  }

  /** Delivers ended turns, each once the one before it has been taken. Running turns come through the subscription. */
  async #catchUp(subscription: Subscription, { rest, asked, running }: CatchUp): Promise<void> {
    const { turns, conversations } = this.#options;
    if (rest !== undefined) {
      const followed = this.#followFrom(subscription, rest.turn, rest.afterSeq);
      // A running turn goes on beside the others.
      if (rest.turn.log.ended) await followed;
    }
    for (const id of asked) {
      if (running.some(({ record }) => record.id === id)) continue;
      const found = await this.#patiently(subscription, async () => {
        const turn = await turns.find(this.#owner, id);
        const question = turn === undefined ? undefined : await questionOfEnded(turn, conversations);
        return turn === undefined || question === undefined ? undefined : { turn, question };
      }).catch(faultsOf(this.#options.observer, "connection"));
      if (found) await this.#join(subscription, found.turn, found.question);
      if (this.#isLeft(subscription)) return;
    }
  }

  /** Reads until the storage answers: a client would not notice a turn that is left out. `undefined` if the client has left meanwhile. */
  async #patiently<Found>(
    subscription: Subscription,
    read: () => Promise<Found>,
  ): Promise<Found | undefined> {
    for (;;) {
      try {
        return await read();
      } catch (fault) {
        if (!isStorageUnavailable(fault)) throw fault;
      }
      await this.#options.clock.sleep(readAgainMs);
      if (this.#isLeft(subscription)) return undefined;
    }
  }

  #isLeft({ isOver }: Subscription): boolean {
    return isOver || this.#client.followers.isClosed;
  }

  /** Follows a turn of a followed conversation from its start, unless this connection already follows it. */
  async #join(
    subscription: Subscription,
    turn: KeptTurn,
    question: Question,
    before?: Promise<void>,
  ): Promise<void> {
    const { id } = turn.record;
    if (subscription.isOver || this.#client.followers.has(id)) return;
    await this.#followFrom(subscription, turn, 0, async () => {
      await before;
      await this.#client.audience.question(question);
    });
  }

  /** Follows a turn until its end or the end of the subscription. */
  async #followFrom(
    subscription: Subscription,
    turn: KeptTurn,
    afterSeq: number,
    before?: () => Promise<void>,
  ): Promise<void> {
    const followed = this.#client.followers.follow(turn, afterSeq, before);
    const stop = this.#client.followers.stopper(turn.record.id);
    subscription.stops.add(stop);
    await followed;
    subscription.stops.delete(stop);
  }
}
