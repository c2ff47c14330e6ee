import { prepareReply } from "../chat/prepare-reply.ts";
import type { RecoveredLane } from "../chat/recovered-lanes.ts";
import type { Caller } from "../ports/caller.ts";
import type { HeldBytes, Hold } from "../ports/held-bytes.ts";
import { type LiveTurn, noPeers, type Peers } from "../ports/peers.ts";
import type { TurnStep } from "../ports/turn-event.ts";
import type { KeptTurn } from "../ports/turn-log.ts";
import type { ResumableRequest, TurnRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Ask } from "./ask.ts";
import { createConversationFeed } from "./conversation-feed.ts";
import { drainTurns } from "./drain-turns.ts";
import { createRememberLater } from "./remember-later.ts";
import type { BegunTurn, RunningTurn } from "./running-turn.ts";
import { createTurnStart, type StartedTurn, type TurnStartOptions } from "./start-turn.ts";

export interface TurnsOptions extends TurnStartOptions {
  /** The other servers on these logs. Default: none. */
  readonly peers?: Peers;
  /** Called if a peer is gone and its turns must be recovered. */
  readonly onLeft: () => void;
}

/** All turns of this server: starts, finds and stops them. */
export interface Turns {
  /**
   * Starts a turn, or finds the one that the same request started before (`started: false`). That one runs again if `retrySeq` is the
   * number of its last event and that is an error that can be retried.
   *
   * Throws the refusals of `prepareReply`, `invalid_message` for parts that have no price, `request_id_conflict` and `seq_out_of_range`.
   * Throws `too_many_requests`, `request_rate_exceeded`, `larger_than_day_budget`, `day_budget_spent`, `overloaded` and `shutting_down`.
   * Throws a `SocketEndedError` if the caller's key was revoked meanwhile: its connection is closed.
   */
  start(ask: Ask): Promise<StartedTurn>;
  /**
   * Continues a turn that another process started, without regard to the limits: resumes its answer, or starts unfinished answers again.
   * At first it has no follower.
   * Throws the refusals of `prepareReply`.
   */
  goOn(turn: KeptTurn, request: ResumableRequest, lanes: readonly RecoveredLane[]): Promise<void>;
  find(owner: string, id: string): Promise<KeptTurn | undefined>;
  /** The turn, while it runs here. */
  running(owner: string, id: string): RunningTurn | undefined;
  /** The running turns of a conversation: first those here, then those of peers, each oldest first. */
  runningIn(owner: string, conversationId: string): Promise<readonly LiveTurn[]>;
  /** Reports every turn that starts in a conversation, perhaps more than once; the returned function ends that. */
  subscribe(owner: string, conversationId: string, listener: (turn: LiveTurn) => void): () => void;
  /** Counts in a follower of a turn, here or at a peer; the returned function counts it out. */
  watch(turn: KeptTurn): () => void;
  /** Throws `request_not_found`, `request_ended`, `persona_not_found`. */
  cancel(owner: string, id: string, personaId: string | undefined): Promise<void>;
  /** Stops every turn that was started with a key. */
  cancelAllOf(keyId: string): void;
  /**
   * Stops every turn of a conversation, here and at peers; settles when they have ended. New turns can start as long as the conversation
   * exists.
   */
  endIn(owner: string, conversationId: string): Promise<void>;
  /** Number of running turns. */
  readonly count: number;
  /** Followers counted in, and open subscriptions. */
  readonly watchers: number;
  readonly subscriptions: number;
  /**
   * Counts a waiting request's memory, in the limits of its connection, its caller and the server; `Ask.hold` passes it on.
   * Throws `too_many_requests`, `overloaded`.
   */
  hold(caller: Caller, request: TurnRequest, connection: HeldBytes): Hold;
  /** Bytes that all requests hold now, estimated. */
  readonly heldBytes: number;
  /**
   * Refuses new turns from now on, waits for the running ones, and ends the rest after `drainMs` as `interrupted`. Turns that the next
   * process can continue are left to it instead.
   */
  close(drainMs: number): Promise<void>;
}

export function createTurns(options: TurnsOptions): Turns {
  const { chat, logs, peers = noPeers, onLeft, onFault } = options;
  const running = new Map<string, BegunTurn>();
  /** Turns whose log is being made or resumed, with their owners. */
  const beginning = new Map<Promise<unknown>, string>();

  /** Notes a turn that is about to run. */
  function noteBeginning<T>(owner: string, begun: Promise<T>): Promise<T> {
    const noted = begun.finally(() => beginning.delete(noted));
    beginning.set(noted, owner);
    return noted;
  }

  const feed = createConversationFeed();
  const rememberLater = createRememberLater(chat, ({ record }, fault) => onFault(record, fault));
  let closing = false;
  let watchers = 0;
  const { start, run, hold } = createTurnStart(options, {
    isClosing: () => closing,
    onBegin(begun) {
      const { owner, id } = begun.turn.record;
      running.set(keyOf(owner, id), begun);
      feed.announce(begun.turn);
      peers.announce(begun.turn);
    },
    onOver({ record: { owner, id } }) {
      running.delete(keyOf(owner, id));
    },
    onFailure: rememberLater.noteEnd,
  });

  /** The turns of a conversation that run here, oldest first. */
  function runningHere(owner: string, conversationId: string): BegunTurn[] {
    return [...running.values()].filter(
      ({ turn }) => turn.conversationId === conversationId && turn.record.owner === owner,
    );
  }

  async function endHere(owner: string, conversationId: string): Promise<void> {
    const stop = () => {
      const begun = runningHere(owner, conversationId);
      for (const { turn } of begun) turn.cancel();
      return begun.map(({ done }) => done);
    };
    stop();
    // A turn that has found its conversation but has no log yet is about to run.
    await Promise.allSettled([...beginning].filter(([, of]) => of === owner).map(([begun]) => begun));
    await Promise.all(stop());
  }

  async function goOn(
    turn: KeptTurn,
    kept: ResumableRequest,
    lanes: readonly RecoveredLane[],
  ): Promise<void> {
    const prepared = await prepareReply(kept.request, turn.record, chat, lanes);
    const hold = options.admission.holdRecovered(turn.record.owner, prepared.bytes.total);
    const running = run(turn, kept, prepared, { hold, release: () => hold.release() });
    running.observe(
      lanes.flatMap(({ answer, checkpoint }): TurnStep[] => [
        ...(answer === undefined ? [] : [{ type: "lane-answer" as const, answer }]),
        ...(checkpoint === undefined ? [] : [checkpoint]),
      ]),
    );
    const unwatch = running.watch();
    // Its followers were lost with the process that started it. They get time to come back.
    unwatch();
  }

  peers.join({
    cancel(owner, id, personaId) {
      const found = running.get(keyOf(owner, id));
      found?.turn.cancel(personaId);
      return found !== undefined;
    },
    watch: (owner, id) => running.get(keyOf(owner, id))?.turn.watch() ?? (() => undefined),
    endIn: endHere,
    began: feed.announce,
    left() {
      // A closing server leaves them to the next one.
      if (!closing) onLeft();
    },
  });

  function watch({ record: { owner, id }, log }: KeptTurn): () => void {
    const here = running.get(keyOf(owner, id));
    if (here !== undefined) return here.turn.watch();
    return log.ended ? () => undefined : peers.watch(owner, id);
  }

  return {
    get count() {
      return running.size;
    },
    get watchers() {
      return watchers;
    },
    get subscriptions() {
      return feed.count;
    },
    start: (ask) => noteBeginning(ask.caller.owner, start(ask)),
    goOn: (turn, kept, lanes) => noteBeginning(turn.record.owner, goOn(turn, kept, lanes)),
    get heldBytes() {
      return options.admission.heldBytes;
    },
    hold,
    find: (owner, id) => logs.find(owner, id),
    running: (owner, id) => running.get(keyOf(owner, id))?.turn,
    async runningIn(owner, conversationId) {
      const here = runningHere(owner, conversationId).map(({ turn }) => turn);
      return [...here, ...(await peers.runningIn(owner, conversationId))];
    },
    subscribe(owner, conversationId, listener) {
      const unsubscribe = feed.subscribe(owner, conversationId, listener);
      const unsubscribeElsewhere = peers.subscribe(owner, conversationId);
      return () => {
        unsubscribe();
        unsubscribeElsewhere();
      };
    },
    watch(turn) {
      const unwatch = watch(turn);
      watchers += 1;
      let counted = true;
      return () => {
        if (counted) watchers -= 1;
        counted = false;
        unwatch();
      };
    },
    async cancel(owner, id, personaId) {
      const found = running.get(keyOf(owner, id));
      if (found !== undefined) return found.turn.cancel(personaId);
      if (await peers.cancel(owner, id, personaId)) return;
      const kept = await logs.find(owner, id);
      throw new TroupeError(kept === undefined ? "request_not_found" : "request_ended", {
        field: "requestId",
      });
    },
    cancelAllOf(keyId) {
      for (const { turn, asked } of running.values()) if (asked.caller.keyId === keyId) turn.cancel();
    },
    async endIn(owner, conversationId) {
      await Promise.all([endHere(owner, conversationId), peers.endIn(owner, conversationId)]);
    },
    async close(drainMs) {
      closing = true;
      // Requests that were not refused get the same time as the running ones.
      await Promise.allSettled(beginning.keys());
      await drainTurns(() => [...running.values()], {
        clock: chat.clock,
        drainMs,
        isLasting: logs.isLasting,
      });
      await rememberLater.close();
    },
  };
}

function keyOf(owner: string, id: string): string {
  return `${owner}\n${id}`;
}
