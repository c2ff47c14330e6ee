import type { Clock } from "../../../ports/clock.ts";
import type { Observer } from "../../../ports/observer.ts";
import type { PeerAudience, Peers } from "../../../ports/peers.ts";
import type { KeptTurn, TurnRecord } from "../../../ports/turn-log.ts";
import { TroupeError } from "../../../protocol/errors.ts";
import type { StoredSteps } from "../postgres-log.ts";
import type { PostgresStore } from "../postgres-store.ts";
import type { RunningRow } from "../turn-rows.ts";
import { createHeadNews } from "./head-news.ts";
import type { NodeMessage, SentRow } from "./messages.ts";
import { type NodeBus, openBus } from "./open-bus.ts";
import { createPeerRows, type PeerRow } from "./peer-rows.ts";
import type { RedisPlace } from "./redis-bus.ts";
import { createTurnWatchers } from "./turn-watchers.ts";

interface NodePeersOptions {
  readonly url: string;
  /** The Redis through which nodes also tell each other; absent: PostgreSQL alone. */
  readonly redis?: RedisPlace;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly store: PostgresStore;
  readonly logs: NodeLogs;
  readonly told: TurnNews;
  /** Called when a key was revoked at another node. */
  readonly onRevoked: () => void;
}

/** The logs of this node, as its peers use them. */
export interface NodeLogs {
  /** The record of a turn that runs here. */
  ownTurn(turn: number): TurnRecord | undefined;
  /** The number of a turn that runs here. */
  ownNumber(record: TurnRecord): number | undefined;
  runningElsewhere(row: RunningRow): KeptTurn;
  /** The turn of another node, which is followed here, has events up to this number. */
  noteHead(turn: number, head: number): void;
  /** The same, with the row that has the last of these events. */
  noteRow(row: SentRow): void;
  /** The turns of other nodes that are followed here. */
  readonly followed: Iterable<number>;
}

/** The news of the logs for other nodes. The functions do nothing until they are set. */
export interface TurnNews {
  /** A turn here has events up to this number, the last of them in this row. */
  onHead: (turn: number, head: number, row: StoredSteps) => void;
  /** A turn of another node has its first follower here, or has lost the last one. */
  onFollowed: (turn: number, isFollowed: boolean) => void;
  /** A turn was let go. */
  onLeft: () => void;
}

/** The other nodes on the same database. */
interface NodePeers extends Peers, AsyncDisposable {
  /** A node is gone, and its turns may be claimed. */
  left(): void;
  /** Clients of other nodes have stopped turns of this one. */
  lookForCancels(): void;
  revoked(keyId: string): void;
  /** Whether a node hears Redis, as far as this one knows; `undefined` if this node uses none. */
  hearsRedis(incarnation: number): boolean | undefined;
}

/** From one round of messages and looks to the next, milliseconds. */
const roundMs = 1_000;
/** Rounds between two looks for turns that have no node: the node that let them go may have died before it told. */
const roundsBetweenLooks = 10;
/** How long a stop waits for the answer of the node that runs the turn. The row tells it later all the same. */
const answerMs = 300;
/** From one look whether the stopped turns of a conversation have ended to the next. */
const endLookMs = 100;

export function createNodePeers(options: NodePeersOptions): NodePeers {
  const { url, redis, clock, observer, store, logs, told, onRevoked } = options;
  const rows = createPeerRows(store);
  const stopped = new AbortController();
  let audience: PeerAudience | undefined;
  const watchers = createTurnWatchers(clock, () => audience);
  /** The number of followers of each conversation here. */
  const subscriptions = new Map<string, number>();
  /** The turns of subscribed conversations that were reported in the last round. */
  let reported: ReadonlySet<number> = new Set();
  const calls = new Map<number, (refusal: "persona_not_found" | "request_ended" | null) => void>();
  let lastCall = 0;
  const bus: NodeBus = openBus({
    ...{ url, clock, incarnation: store.incarnation, onMessage: hear, random: Math.random },
    ...(redis === undefined ? {} : { redis }),
    onRedis: (error) =>
      observer.messengerChanged?.(error === undefined ? { state: "working" } : { state: "away", error }),
  });

  told.onHead = createHeadNews(bus, watchers);
  told.onFollowed = (turn, isFollowed) => bus.send({ type: isFollowed ? "watch" : "unwatch", turns: [turn] });
  told.onLeft = () => bus.send({ type: "left" });

  function hear(message: NodeMessage, from: number): void {
    switch (message.type) {
      case "heads":
        for (const [turn, head] of message.heads) logs.noteHead(turn, head);
        return;
      case "rows":
        for (const row of message.rows) logs.noteRow(row);
        return;
      case "watch":
        noteWatch(message.turns, from);
        return;
      case "unwatch":
        for (const turn of message.turns) watchers.forget(turn, from);
        return;
      case "cancel":
        answerCancel(message, from);
        return;
      case "cancelled":
        if (message.to === store.incarnation) calls.get(message.call)?.(message.refusal);
        return;
      case "began":
        if (subscriptions.has(message.conversationId)) rows.began(message.turn).then(report, store.report);
        return;
      case "left":
        audience?.left();
        return;
      case "revoked":
        onRevoked();
        return;
      case "probe":
    }
  }

  function noteWatch(turns: readonly number[], from: number): void {
    for (const turn of turns) {
      const record = logs.ownTurn(turn);
      if (record !== undefined) watchers.note(turn, record, from);
    }
  }

  /** Stops a turn or a lane here. Returns the refusal; `undefined` if the turn does not run here, or not yet. */
  function stopHere(
    turn: number,
    personaId: string | undefined,
  ): "persona_not_found" | "request_ended" | null | undefined {
    const record = logs.ownTurn(turn);
    if (record === undefined || audience === undefined) return undefined;
    try {
      return audience.cancel(record.owner, record.id, personaId) ? null : undefined;
    } catch (refusal) {
      const { code } = TroupeError.from(refusal);
      return code === "persona_not_found" ? code : "request_ended";
    }
  }

  function answerCancel(
    { turn, personaId, call }: Extract<NodeMessage, { type: "cancel" }>,
    to: number,
  ): void {
    const refusal = stopHere(turn, personaId ?? undefined);
    if (refusal !== undefined) bus.send({ type: "cancelled", to, call, refusal });
  }

  async function stopElsewhere(turn: number, personaId: string | undefined): Promise<void> {
    lastCall += 1;
    const call = lastCall;
    const patience = new AbortController();
    let refusal: "persona_not_found" | "request_ended" | null = null;
    calls.set(call, (answer) => {
      refusal = answer;
      patience.abort();
    });
    bus.send({ type: "cancel", turn, personaId: personaId ?? null, call });
    await clock.sleep(answerMs, patience.signal);
    calls.delete(call);
    if (refusal !== null) throw new TroupeError(refusal, { field: "personaId" });
  }

  function report(turns: readonly PeerRow[]): void {
    for (const row of turns) {
      if (!subscriptions.has(row.record.conversationId ?? "")) continue;
      audience?.began({ ...logs.runningElsewhere(row), request: row.request });
    }
  }

  /** Reports turns of subscribed conversations whose message was lost. */
  async function lookForBegun(): Promise<void> {
    if (subscriptions.size === 0) return;
    const found = await rows.begunIn([...subscriptions.keys()]);
    report(found.filter(({ number }) => !reported.has(number)));
    reported = new Set(found.map(({ number }) => number));
  }

  async function run(): Promise<void> {
    for (let round = 0; !stopped.signal.aborted; round += 1) {
      if (round % roundsBetweenLooks === 0) audience?.left();
      const turns = [...logs.followed];
      if (turns.length > 0) bus.send({ type: "watch", turns });
      watchers.sweep();
      await Promise.all([lookForBegun().catch(store.report), clock.sleep(roundMs, stopped.signal)]);
    }
  }
  const done = run();

  return {
    join(joined) {
      audience = joined;
    },
    left: () => audience?.left(),
    lookForCancels() {
      rows.cancels().then((stops) => {
        for (const { turn, personaIds } of stops)
          for (const personaId of personaIds) stopHere(turn, personaId);
      }, store.report);
    },
    revoked: (keyId) => bus.send({ type: "revoked", keyId }),
    hearsRedis: bus.hearsRedis,
    announce({ record }) {
      const turn = logs.ownNumber(record);
      const { conversationId } = record;
      if (turn !== undefined && conversationId !== undefined)
        bus.send({ type: "began", turn, conversationId });
    },
    async runningIn(owner, conversationId) {
      const found = await rows.runningIn(owner, conversationId);
      return found.map((row) => ({ ...logs.runningElsewhere(row), request: row.request }));
    },
    subscribe(_owner, conversationId) {
      subscriptions.set(conversationId, (subscriptions.get(conversationId) ?? 0) + 1);
      return () => {
        const left = (subscriptions.get(conversationId) ?? 1) - 1;
        if (left > 0) subscriptions.set(conversationId, left);
        else subscriptions.delete(conversationId);
      };
    },
    async cancel(owner, id, personaId) {
      const turn = await rows.cancel(owner, id, personaId);
      if (turn === undefined) return false;
      await stopElsewhere(turn, personaId);
      return true;
    },
    // The watch list tells of every reader of a turn that runs elsewhere.
    watch: () => () => undefined,
    async endIn(owner, conversationId) {
      for (;;) {
        const turns = await rows.cancelIn(owner, conversationId);
        if (turns.length === 0 || stopped.signal.aborted) return;
        await Promise.all(turns.map((turn) => stopElsewhere(turn, undefined)));
        await clock.sleep(endLookMs, stopped.signal);
      }
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await done;
      await bus[Symbol.asyncDispose]();
    },
  };
}
