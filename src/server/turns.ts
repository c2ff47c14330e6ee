import type { ChatDependencies, Emit } from "../chat/chat-context.ts";
import { type PreparedReply, prepareReply } from "../chat/prepare-reply.ts";
import type { RecoveredLane } from "../chat/recovered-lanes.ts";
import { estimateTokens, utf8Bytes } from "../chat/usage.ts";
import type { Budgets } from "../ports/budgets.ts";
import type { Caller } from "../ports/caller.ts";
import { type LiveTurn, noPeers, type Peers } from "../ports/peers.ts";
import type { TerminalEvent, TurnStep } from "../ports/turn-event.ts";
import type { KeptTurn, TurnLogStore, TurnRecord } from "../ports/turn-log.ts";
import type { ResumableRequest, TurnRequest, WhenInterrupted, WhenUnwatched } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Admission } from "./admission.ts";
import { contentHash } from "./content-hash.ts";
import { createConversationFeed } from "./conversation-feed.ts";
import { drainTurns } from "./drain-turns.ts";
import { createRememberLater } from "./remember-later.ts";
import { resumable } from "./resumable.ts";
import { runTurn } from "./run-turn.ts";
import { type BegunTurn, createRunningTurn, type RunningTurn } from "./running-turn.ts";

export interface TurnsOptions {
  readonly chat: ChatDependencies;
  readonly logs: TurnLogStore;
  /** The other servers on these logs. Default: there are none. */
  readonly peers?: Peers;
  readonly admission: Admission;
  /** Digest of a text, by which a repeated request is known. */
  readonly digest: (text: string) => string;
  readonly budgets: Pick<Budgets, "openTurn">;
  /** Whether the caller's key is still good. */
  readonly isAdmitted: (caller: Caller) => boolean;
  /** A turn that runs longer ends with `turn_timeout`. */
  readonly turnLimitMs: number;
  /** There are turns of a peer that is gone, to be recovered. */
  readonly onLeft: () => void;
  /** Hears of every end, for the log. */
  readonly onEnd: (record: TurnRecord, terminal: TerminalEvent) => void;
  /** Hears of what must not happen, such as a log that cannot be written. */
  readonly onFault: (record: TurnRecord, fault: unknown) => void;
}

/** A request for an answer as a session passes it on. */
export interface Ask {
  readonly caller: Caller;
  readonly id: string;
  /** The client chose the id, so that there may be a turn of this name. */
  readonly isNamed: boolean;
  readonly request: TurnRequest;
  /** What the client said of the conversation, which is part of the request's content. */
  readonly conversation: string | undefined;
  /** Finds or makes the conversation; asked only when the request is new. */
  readonly findConversation: () => Promise<string | undefined>;
  readonly whenUnwatched: WhenUnwatched;
  readonly whenInterrupted: WhenInterrupted;
}

/** All turns of this server: starting, finding and stopping them. */
export interface Turns {
  /**
   * Starts a turn, or finds the one that the same request started before (`started: false`).
   * Throws the refusals of `prepareReply`, `request_id_conflict`, `too_many_requests`, `request_rate_exceeded`,
   * `day_budget_spent`, `overloaded`, `shutting_down`, `key_revoked`.
   */
  start(ask: Ask): Promise<{ readonly turn: KeptTurn; readonly started: boolean }>;
  /**
   * Goes on with a turn that another process began, whatever the limits are now: takes its answer up, or answers anew what was
   * cut off. Nobody follows it at first.
   * Throws the refusals of `prepareReply`.
   */
  goOn(turn: KeptTurn, request: ResumableRequest, lanes: readonly RecoveredLane[]): Promise<void>;
  find(owner: string, id: string): Promise<KeptTurn | undefined>;
  /** The turn while it runs here. */
  running(owner: string, id: string): RunningTurn | undefined;
  /** The turns that run in a conversation: those that run here, then those of peers, each oldest first. */
  runningIn(owner: string, conversationId: string): Promise<readonly LiveTurn[]>;
  /** Tells of every turn that begins in a conversation, perhaps more than once; the returned function ends that. */
  subscribe(owner: string, conversationId: string, listener: (turn: LiveTurn) => void): () => void;
  /** Counts a follower of a turn in, wherever it runs; the returned function counts it out. */
  watch(turn: KeptTurn): () => void;
  /** Throws `request_not_found`, `request_ended`, `persona_not_found`. */
  cancel(owner: string, id: string, lane: string | undefined): Promise<void>;
  /** Stops every turn that was begun with a key. */
  cancelAllOf(keyId: string): void;
  /** How many run. */
  readonly count: number;
  /**
   * Refuses new turns from now on, waits for the running ones, and ends those left after `drainMs` as `interrupted`. Those with which
   * a next process can go on are left to it instead.
   */
  close(drainMs: number): Promise<void>;
}

export function createTurns(options: TurnsOptions): Turns {
  const {
    chat,
    logs,
    peers = noPeers,
    admission,
    budgets,
    digest,
    turnLimitMs,
    isAdmitted,
    onLeft,
    onEnd,
    onFault,
  } = options;
  const running = new Map<string, BegunTurn>();
  /** Turns whose log is being made. */
  const beginning = new Set<Promise<unknown>>();
  const feed = createConversationFeed();
  const rememberLater = createRememberLater(chat, ({ record }, fault) => onFault(record, fault));
  let closing = false;
  const keyOf = (owner: string, id: string) => `${owner}\n${id}`;

  async function begin(ask: Ask, asked: TurnRecord, release: () => void) {
    const conversationId = ask.request.kind === "responses" ? undefined : await ask.findConversation();
    const record: TurnRecord = {
      ...asked,
      ...(conversationId === undefined ? {} : { conversationId }),
      // The vendor is told not to store it; then nothing of it stays here either.
      ...(ask.request.kind === "responses" && ask.request.options.store === false ? { transient: true } : {}),
    };
    const prepared = await prepareReply(
      ask.request,
      { owner: record.owner, id: ask.id, conversationId },
      chat,
    );
    if (!isAdmitted(ask.caller)) throw new TroupeError("key_revoked");
    if (closing) throw new TroupeError("shutting_down");
    const created = await logs.create(record, resumable(ask, record), true);
    if (created.type === "full") throw new TroupeError("overloaded");
    if (created.type === "exists") {
      release();
      return attach(created.turn, record);
    }
    const { log } = created;
    run({ record, log }, ask, prepared, release);
    return { turn: { record, log }, started: true };
  }

  function run(
    { record, log }: KeptTurn,
    asked: ResumableRequest,
    prepared: PreparedReply,
    release: () => void,
  ): RunningTurn {
    const { caller, request, whenUnwatched } = asked;
    const turn = createRunningTurn({
      record,
      log,
      request,
      conversationId: record.conversationId,
      lanes: prepared.lanes,
      whenUnwatched,
      turnLimitMs,
      clock: chat.clock,
    });
    // Revoked while its log was made: nobody is called, and the log has its end.
    if (!isAdmitted(caller)) turn.cancel();
    const { budgetTokens } = request;
    const budget = budgets.openTurn({
      caller,
      lanes: Math.max(1, prepared.lanes.length),
      ...(record.transient === true ? {} : { requestId: record.id }),
      ...(budgetTokens === undefined ? {} : { budgetTokens }),
    });
    const reply = (emit: Emit) => prepared.reply({ ...turn.signals, budget, emit });
    const done = runTurn(log, reply, turn)
      .then(
        (terminal) => {
          if (terminal === undefined) return log.leave();
          onEnd(record, terminal);
          if (terminal.type === "failure") rememberLater.noteEnd(turn, terminal.error);
        },
        (fault: unknown) => onFault(record, fault),
      )
      .finally(() => {
        turn.dispose();
        // What the calls of a turn that was left have used is settled when it goes on.
        if (!turn.isLeft()) budget[Symbol.dispose]();
        running.delete(keyOf(record.owner, record.id));
        release();
      });
    running.set(keyOf(record.owner, record.id), { turn, asked, done });
    feed.announce(turn);
    peers.announce(turn);
    return turn;
  }

  function attach(turn: KeptTurn, record: TurnRecord) {
    if (turn.record.contentHash !== record.contentHash)
      throw new TroupeError("request_id_conflict", { field: "id" });
    return { turn, started: false };
  }

  peers.join({
    cancel(owner, id, lane) {
      const found = running.get(keyOf(owner, id));
      found?.turn.cancel(lane);
      return found !== undefined;
    },
    watch: (owner, id) => running.get(keyOf(owner, id))?.turn.watch() ?? (() => undefined),
    began: feed.announce,
    left() {
      // Else whoever comes next is given them.
      if (!closing) onLeft();
    },
  });

  return {
    get count() {
      return running.size;
    },
    async start(ask) {
      const { id, isNamed } = ask;
      const { owner } = ask.caller;
      const record = { owner, id, contentHash: contentHash([ask.request, ask.conversation ?? null], digest) };
      const kept = isNamed ? await logs.find(owner, id) : undefined;
      if (kept !== undefined) return attach(kept, record);
      if (closing) throw new TroupeError("shutting_down");
      const release = await admission.admit(ask.caller, estimateTokens(utf8Bytes(textOf(ask.request))));
      const begun = begin(ask, record, release).finally(() => beginning.delete(begun));
      beginning.add(begun);
      try {
        return await begun;
      } catch (error) {
        release();
        throw error;
      }
    },
    async goOn(turn, kept, lanes) {
      const { owner, id, conversationId } = turn.record;
      const prepared = await prepareReply(kept.request, { owner, id, conversationId }, chat, lanes);
      const running = run(turn, kept, prepared, () => undefined);
      running.observe(
        lanes.flatMap(({ answer, checkpoint }): TurnStep[] => [
          ...(answer === undefined ? [] : [{ type: "lane-answer" as const, answer }]),
          ...(checkpoint === undefined ? [] : [checkpoint]),
        ]),
      );
      const unwatch = running.watch();
      // Its followers went with the process that began it; they have their time to come back.
      unwatch();
    },
    find: (owner, id) => logs.find(owner, id),
    running: (owner, id) => running.get(keyOf(owner, id))?.turn,
    async runningIn(owner, conversationId) {
      const here = [...running.values()]
        .map(({ turn }) => turn)
        .filter((turn) => turn.conversationId === conversationId && turn.record.owner === owner);
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
    watch({ record: { owner, id }, log }) {
      const here = running.get(keyOf(owner, id));
      if (here !== undefined) return here.turn.watch();
      return log.ended ? () => undefined : peers.watch(owner, id);
    },
    async cancel(owner, id, lane) {
      const found = running.get(keyOf(owner, id));
      if (found !== undefined) return found.turn.cancel(lane);
      if (await peers.cancel(owner, id, lane)) return;
      const kept = await logs.find(owner, id);
      throw new TroupeError(kept === undefined ? "request_not_found" : "request_ended", {
        field: "data.request_id",
      });
    },
    cancelAllOf(keyId) {
      for (const { turn, asked } of running.values()) if (asked.caller.keyId === keyId) turn.cancel();
    },
    async close(drainMs) {
      closing = true;
      // What is not refused any more has its time as the others.
      await Promise.allSettled(beginning);
      await drainTurns(() => [...running.values()], {
        clock: chat.clock,
        drainMs,
        isLasting: logs.isLasting,
      });
      await rememberLater.close();
    },
  };
}

function textOf(request: TurnRequest): string {
  return request.kind === "responses" ? request.inputText : request.message;
}
