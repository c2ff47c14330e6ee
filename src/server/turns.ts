import { prepareReply } from "../chat/prepare-reply.ts";
import type { RecoveredLane } from "../chat/recovered-lanes.ts";
import type { Caller } from "../ports/caller.ts";
import type { HeldBytes, Hold } from "../ports/fair-shares.ts";
import { type LiveTurn, noPeers, type Peers } from "../ports/peers.ts";
import type { TurnStep } from "../ports/turn-event.ts";
import type { KeptTurn, TurnStop } from "../ports/turn-log.ts";
import type { ResumableRequest, TurnRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { drainTurns } from "./drain-turns.ts";
import { createRememberLater } from "./remember-partial.ts";
import { type RunningTurn, TurnTable } from "./running-turn.ts";
import { type Ask, createTurnStart, type StartedTurn, type TurnStartOptions } from "./start-turn.ts";

interface TurnsOptions extends TurnStartOptions {
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
   * At first it has no follower. No provider is called for the lanes that clients have stopped.
   * Throws the refusals of `prepareReply`.
   */
  goOn(
    turn: KeptTurn,
    request: ResumableRequest,
    lanes: readonly RecoveredLane[],
    stops?: readonly TurnStop[],
  ): Promise<void>;
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
   * Takes up no more turns of other servers. Followers of the turns here get at least `minAbsenceMs` from now on to come back through
   * another server.
   */
  retire(minAbsenceMs: number): void;
  /**
   * Refuses new turns from now on, waits for the running ones, and ends the rest after `drainMs` as `interrupted`. Turns that the next
   * process can continue are left to it instead; at once, if another server takes them up (`handsOver`) and the provider goes on with
   * them anyway.
   */
  close(drainMs: number, handsOver?: boolean): Promise<void>;
  /** Refuses new turns, and leaves all running ones at once: other servers have taken them over. */
  abandon(): void;
}

export function createTurns(options: TurnsOptions): Turns {
  const { chat, logs, peers = noPeers } = options;
  const table = new TurnTable();
  const feed = createConversationFeed();
  const rememberLater = createRememberLater(chat, options.observer);
  let watchers = 0;
  let closing = false;
  let retired: { readonly minAbsenceMs: number } | undefined;
  const { start, run, hold } = createTurnStart(options, {
    isClosing: () => closing,
    minAbsenceMs: () => retired?.minAbsenceMs ?? 0,
    onBegin(begun) {
      table.add(begun);
      feed.announce(begun.turn);
      peers.announce(begun.turn);
    },
    onOver: ({ record: { owner, id } }) => table.remove(owner, id),
    onFailure: rememberLater.noteEnd,
  });

  async function goOn(
    turn: KeptTurn,
    asked: ResumableRequest,
    lanes: readonly RecoveredLane[],
    stops: readonly TurnStop[] = [],
  ): Promise<void> {
    const arrivedAtMs = chat.clock.now();
    const prepared = await prepareReply(asked.request, turn.record, chat, lanes);
    const held = options.admission.holdRecovered(turn.record.owner, prepared.bytes.total);
    const release = () => held.release();
    const running = run(turn, {
      asked,
      prepared,
      isRecovered: true,
      stops,
      arrivedAtMs,
      hold: held,
      release,
    });
    running.observe(stepsOf(lanes));
    const unwatch = running.watch();
    // Its followers were lost with the process that started it. They get time to come back.
    unwatch();
  }

  peers.join({
    cancel(owner, id, personaId) {
      const found = table.find(owner, id);
      found?.turn.cancel(personaId);
      return found !== undefined;
    },
    watch: (owner, id) => table.find(owner, id)?.turn.watch() ?? (() => undefined),
    endIn: (owner, conversationId) => table.endIn(owner, conversationId),
    began: feed.announce,
    left() {
      // A stopping server leaves them to others.
      if (!closing && retired === undefined) options.onLeft();
    },
  });

  return {
    get count() {
      return table.count;
    },
    get watchers() {
      return watchers;
    },
    get subscriptions() {
      return feed.count;
    },
    get heldBytes() {
      return options.admission.heldBytes;
    },
    start: (ask) => table.noteBeginning(ask.caller.owner, start(ask)),
    goOn: (turn, ...how) => table.noteBeginning(turn.record.owner, goOn(turn, ...how)),
    hold,
    ...createLookups({ table, feed, logs, peers }),
    watch({ record: { owner, id }, log }) {
      const here = table.find(owner, id);
      const elsewhere = here === undefined && !log.ended ? peers.watch(owner, id) : undefined;
      const unwatch = here?.turn.watch() ?? elsewhere;
      watchers += 1;
      let isCounted = true;
      return () => {
        if (isCounted) watchers -= 1;
        isCounted = false;
        unwatch?.();
      };
    },
    abandon() {
      closing = true;
      for (const { turn } of table.all()) turn.leave();
    },
    retire(minAbsenceMs) {
      retired = { minAbsenceMs };
    },
    async close(drainMs, handsOver = false) {
      closing = true;
      // Requests that were not refused get the same time as the running ones.
      await table.begun();
      const { isLasting } = logs;
      await drainTurns(() => table.all(), { clock: chat.clock, drainMs, isLasting, handsOver });
      await rememberLater.close();
    },
  };
}

/** The steps of recovered lanes that tell which of them have ended, and which can be resumed. */
function stepsOf(lanes: readonly RecoveredLane[]): TurnStep[] {
  return lanes.flatMap(({ answer, checkpoint }): TurnStep[] => [
    ...(answer === undefined ? [] : [{ type: "lane-answer" as const, answer }]),
    ...(checkpoint === undefined ? [] : [checkpoint]),
  ]);
}

interface Found {
  readonly table: TurnTable;
  readonly feed: ReturnType<typeof createConversationFeed>;
  readonly logs: TurnsOptions["logs"];
  readonly peers: Peers;
}

type Lookups = "find" | "running" | "runningIn" | "subscribe" | "cancel" | "cancelAllOf" | "endIn";

/** Finds, follows and stops turns, wherever they run. */
function createLookups({ table, feed, logs, peers }: Found): Pick<Turns, Lookups> {
  return {
    find: (owner, id) => logs.find(owner, id),
    running: (owner, id) => table.find(owner, id)?.turn,
    async runningIn(owner, conversationId) {
      const here = table.in(owner, conversationId).map(({ turn }) => turn);
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
    async cancel(owner, id, personaId) {
      const found = table.find(owner, id);
      if (found !== undefined) {
        found.turn.cancel(personaId);
        // Its end is not stored yet, and a process that takes it over must not call its provider again.
        await Promise.race([found.turn.log.keepStop?.(personaId ?? null), found.done]);
        return;
      }
      if (await peers.cancel(owner, id, personaId)) return;
      const kept = await logs.find(owner, id);
      throw new TroupeError(kept === undefined ? "request_not_found" : "request_ended", {
        field: "requestId",
      });
    },
    cancelAllOf(keyId) {
      for (const { turn, asked } of table.all()) if (asked.caller.keyId === keyId) turn.cancel();
    },
    async endIn(owner, conversationId) {
      await Promise.all([table.endIn(owner, conversationId), peers.endIn(owner, conversationId)]);
    },
  };
}

type Listener = (turn: LiveTurn) => void;

/** Tells followers of a conversation about each turn that starts in it. */
function createConversationFeed() {
  const listeners = new Map<string, Set<Listener>>();
  const keyOf = (owner: string, conversationId: string) => `${owner}\n${conversationId}`;

  return {
    /** Open subscriptions. */
    get count(): number {
      let open = 0;
      for (const set of listeners.values()) open += set.size;
      return open;
    },
    announce(turn: LiveTurn): void {
      const { owner, conversationId } = turn.record;
      if (conversationId === undefined) return;
      for (const listener of listeners.get(keyOf(owner, conversationId)) ?? []) listener(turn);
    },
    /** The returned function ends the subscription. */
    subscribe(owner: string, conversationId: string, listener: Listener): () => void {
      const key = keyOf(owner, conversationId);
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set.add(listener));
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
      };
    },
  };
}
