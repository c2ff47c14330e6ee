import { prepareReply } from "../chat/prepare-reply.ts";
import { bytesOfRequest } from "../chat/request-bytes.ts";
import { estimateTokens, utf8Bytes } from "../chat/usage.ts";
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
    const kept = isNamed ? await logs.find(owner, id) : undefined;
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
    if (registry.isClosing()) throw new TroupeError("shutting_down");
    if (options.isMoneyLimited) refuseUnpriced(ask.request);
    const hold = ask.hold();
    let release = () => hold.release();
    try {
      const leave = await admission.admit(ask.caller, estimateTokens(utf8Bytes(textOf(ask.request))));
      release = () => {
        hold.release();
        leave();
      };
      return await begin(ask, record, { arrivedAtMs, hold, release });
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Looks up the conversation and the personas, makes the log, and runs the turn. */
  async function begin(ask: Ask, asked: TurnRecord, taken: Taken): Promise<StartedTurn> {
    const { hold, release } = taken;
    const found = await targetOf(ask, asked);
    const conversationId = found?.id;
    const record: TurnRecord = {
      ...asked,
      ...(conversationId === undefined ? {} : { conversationId }),
      // The vendor is told not to store it, so nothing of it is stored here either.
      ...(ask.request.kind === "responses" && ask.request.options.store === false ? { transient: true } : {}),
    };
    const isNewConversation = found?.isNew === true;
    const prepared = await prepareReply(ask.request, { ...record, isNewConversation }, chat);
    hold.resize(prepared.bytes.total);
    if (!options.isAdmitted(ask.caller)) throw new SocketEndedError("The caller may not come any more.");
    if (registry.isClosing()) throw new TroupeError("shutting_down");
    const isNew = record.afterSeq === undefined;
    const place = { caller: ask.caller, heldBytes: hold.bytes };
    const created = await logs.create(record, resumable(ask, record), isNew, place);
    if (created.type === "full") throw new TroupeError("overloaded");
    if (created.type === "exists") {
      release();
      refuseOtherContent(created.turn, ask, { asked: record.contentHash, digest });
      return { turn: created.turn, started: false };
    }
    const turn: KeptTurn = { record, log: created.log };
    run(turn, { ...taken, asked: ask, prepared, isRecovered: false });
    return { turn, started: true };
  }

  async function targetOf(ask: Ask, { owner, conversationId: id, afterSeq }: TurnRecord) {
    if (ask.request.kind === "responses") return undefined;
    if (id === undefined) return ask.findConversation();
    // A turn that failed before its first status may have no conversation yet. Any other has one, unless it was deleted.
    const isNew = afterSeq === 1 && (await chat.conversations.head(owner, id)) === undefined;
    return { id, isNew };
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

function textOf(request: TurnRequest): string {
  return request.kind === "responses" ? request.inputText : request.message;
}
