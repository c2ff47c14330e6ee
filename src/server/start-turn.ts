import type { TargetConversation } from "../chat/ensemble/conversation-turn.ts";
import { prepareReply } from "../chat/prepare-reply.ts";
import { bytesOfRequest } from "../chat/request-bytes.ts";
import { estimateItems } from "../chat/usage.ts";
import type { Caller } from "../ports/caller.ts";
import type { HeldBytes, Hold } from "../ports/held-bytes.ts";
import { SocketEndedError } from "../ports/socket.ts";
import type { KeptTurn, TurnLogStore, TurnRecord } from "../ports/turn-log.ts";
import type { TurnRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Ask, contentHash, resumable } from "./ask.ts";
import { mayRepeat, refuseOtherContent } from "./asked-before.ts";
import type { Admission } from "./budget/admission.ts";
import { refuseUnpriced } from "./budget/refuse-unpriced.ts";
import { type Launch, type RunOptions, runTurn, type TurnRegistry } from "./run-turn.ts";

/** The parts and limits that every turn is started with. */
export interface TurnStartOptions extends RunOptions {
  readonly logs: TurnLogStore;
  readonly admission: Omit<Admission, "count">;
  /** Digest of a text, used to recognize a repeated request. */
  readonly digest: (text: string) => string;
  /** Calls are paid in money, so requests with parts that have no price are refused. */
  readonly isMoneyLimited: boolean;
}

/** A turn that was started, or found by its id. */
export interface StartedTurn {
  readonly turn: KeptTurn;
  /** False: the same request had already started it. */
  readonly started: boolean;
}

/** When a request arrived, and the resources that it gives back. */
type Taken = Pick<Launch, "arrivedAtMs" | "hold" | "release">;

/** Starts turns: takes a request through everything that can refuse it, to a running turn. */
export function createTurnStart(options: TurnStartOptions, registry: TurnRegistry) {
  const { chat, logs, admission, digest } = options;

  /** See `Turns.start`. */
  async function start(ask: Ask): Promise<StartedTurn> {
    const arrivedAtMs = chat.clock.now();
    const { id, isNamed, retrySeq } = ask;
    const { owner } = ask.caller;
    const asked = { owner, id, contentHash: contentHash(ask.content, digest) };
    // In one step, so that a store can answer both in one trip.
    const [kept, found] = await Promise.all([
      isNamed ? logs.find(owner, id) : undefined,
      findTarget(ask, asked),
    ]);
    if (kept !== undefined) {
      refuseOtherContent(kept, ask, { asked: asked.contentHash, digest });
      if (retrySeq === undefined || !(await mayRepeat(kept, retrySeq))) return { turn: kept, started: false };
    }
    const { conversationId } = kept?.record ?? {};
    const record: TurnRecord = {
      ...asked,
      ...(conversationId === undefined ? {} : { conversationId }),
      ...(retrySeq === undefined ? {} : { afterSeq: retrySeq }),
    };
    const target = conversationId === undefined ? found : await findTarget(ask, record);
    if (registry.isClosing()) throw new TroupeError("shutting_down");
    if (options.isMoneyLimited) refuseUnpriced(ask.request);
    const hold = ask.hold();
    let release = () => hold.release();
    try {
      const leave = await admission.admit(ask.caller, estimateItems(ask.request.input));
      release = () => {
        hold.release();
        leave();
      };
      return await begin(ask, record, target, { arrivedAtMs, hold, release });
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Looks up the conversation of a request, or makes an id for a new one. */
  async function findTarget(
    { request, conversation: named, ownConversation }: Ask,
    { owner, conversationId: kept, afterSeq }: TurnRecord,
  ): Promise<TargetConversation | undefined> {
    if (request.kind === "responses" || request.bringsHistory === true) return undefined;
    const id = kept ?? (named === "new" ? undefined : (named ?? ownConversation));
    if (id !== undefined) {
      const head = await chat.conversations.headPath(owner, id, chat.contextChars);
      if (head !== undefined) return { id, isNew: false, head };
      // A turn that failed before its first status may have no conversation yet. Any other has one, unless it was deleted.
      if (kept !== undefined) return { id, isNew: afterSeq === 1 };
      if (named !== undefined) return { id, isNew: false };
    }
    return { id: chat.clock.newId(), isNew: true };
  }

  /** Looks up the personas, makes the log together with the question, and runs the turn. */
  async function begin(
    ask: Ask,
    asked: TurnRecord,
    target: TargetConversation | undefined,
    taken: Taken,
  ): Promise<StartedTurn> {
    const { hold, release } = taken;
    const conversationId = target?.id;
    const record: TurnRecord = {
      ...asked,
      ...(conversationId === undefined ? {} : { conversationId }),
      ...(ask.request.kind === "responses" && ask.request.isTransient === true ? { transient: true } : {}),
    };
    const prepared = await prepareReply(ask.request, { ...record, target }, chat);
    hold.resize(prepared.bytes.total);
    if (!options.isAdmitted(ask.caller)) throw new SocketEndedError("The caller may not come any more.");
    if (registry.isClosing()) throw new TroupeError("shutting_down");
    const created = await logs.create(record, {
      request: resumable(ask, record),
      isNew: record.afterSeq === undefined,
      place: { caller: ask.caller, heldBytes: hold.bytes },
      question: prepared.question,
    });
    if (created.type === "full") throw new TroupeError("overloaded");
    // Another turn of the conversation has ended meanwhile, or the conversation was deleted.
    if (created.type === "moved") return begin(ask, asked, await findTarget(ask, asked), taken);
    if (created.type === "exists") {
      release();
      refuseOtherContent(created.turn, ask, { asked: record.contentHash, digest });
      return { turn: created.turn, started: false };
    }
    const turn: KeptTurn = { record, log: created.log };
    run(turn, { ...taken, asked: ask, prepared, isRecovered: false });
    return { turn, started: true };
  }

  const run = (turn: KeptTurn, launch: Launch) => runTurn(turn, launch, options, registry);

  return {
    start,
    run,
    /** See `Turns.hold`. */
    hold: (caller: Caller, request: TurnRequest, connection: HeldBytes): Hold =>
      admission.hold(caller, bytesOfRequest(request).total, connection),
  };
}
