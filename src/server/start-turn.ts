import type { ChatDependencies, Emit } from "../chat/chat-context.ts";
import type { TargetConversation } from "../chat/conversation-turn.ts";
import { type PreparedReply, prepareReply } from "../chat/prepare-reply.ts";
import { bytesOfRequest } from "../chat/request-bytes.ts";
import { estimateTokens, utf8Bytes } from "../chat/usage.ts";
import type { Budgets } from "../ports/budgets.ts";
import type { Caller } from "../ports/caller.ts";
import { followLog } from "../ports/follow-log.ts";
import type { HeldBytes, Hold } from "../ports/held-bytes.ts";
import { SocketEndedError } from "../ports/socket.ts";
import type { TerminalEvent, TurnStep } from "../ports/turn-event.ts";
import type { KeptTurn, TurnLogStore, TurnRecord } from "../ports/turn-log.ts";
import type { ResumableRequest, TurnRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Ask, contentHash, resumable } from "./ask.ts";
import type { Admission } from "./budget/admission.ts";
import { refuseUnpriced } from "./budget/refuse-unpriced.ts";
import { noteVendorIds } from "./note-vendor-ids.ts";
import { runTurn } from "./run-turn.ts";
import { type BegunTurn, createRunningTurn, type RunningTurn } from "./running-turn.ts";

/** The parts and limits that every turn is started with. */
export interface TurnStartOptions {
  readonly chat: ChatDependencies;
  readonly logs: TurnLogStore;
  readonly admission: Omit<Admission, "count">;
  /** Digest of a text, used to recognize a repeated request. */
  readonly digest: (text: string) => string;
  readonly budgets: Pick<Budgets, "openTurn">;
  /** Calls are paid in money, so requests with parts that have no price are refused. */
  readonly isMoneyLimited: boolean;
  /** Whether the caller's key is still valid. */
  readonly isAdmitted: (caller: Caller) => boolean;
  /** A turn that runs longer ends with `turn_timeout`. */
  readonly turnLimitMs: number;
  /** Called at every end, for the log. */
  readonly onEnd: (record: TurnRecord, terminal: TerminalEvent) => void;
  /** Called when a lane of several fails, even if its turn succeeds, for the log. */
  readonly onLaneFailure: (record: TurnRecord, lane: string, error: TroupeError) => void;
  /** Called for faults that should never happen, such as a log that cannot be written. */
  readonly onFault: (record: TurnRecord, fault: unknown) => void;
}

/** A turn that was started, or found by its id. */
export interface StartedTurn {
  readonly turn: KeptTurn;
  /** False: the same request had already started it. */
  readonly started: boolean;
}

/** The parts of a server's turns that starting one changes. */
export interface TurnRegistry {
  /** New turns are refused from now on. */
  isClosing(): boolean;
  onBegin(begun: BegunTurn): void;
  /** Called when nothing of the turn runs any more, however it ended. */
  onOver(turn: RunningTurn): void;
  onFailure(turn: RunningTurn, error: TroupeError): void;
}

/** The resources that a turn gives back. */
interface Taken {
  /** Made smaller once the bodies of its calls are sent. */
  readonly hold: Hold;
  /** Gives back its place and its memory. */
  readonly release: () => void;
}

/** Starts turns: takes a request through everything that can refuse it, to a running turn. */
export function createTurnStart(options: TurnStartOptions, registry: TurnRegistry) {
  const { chat, logs, admission, budgets, digest, turnLimitMs, isAdmitted } = options;
  const { onEnd, onLaneFailure, onFault } = options;

  /** Looks up the conversation of a request, or makes an id for a new one. */
  async function findTarget(
    { request, conversation: named, ownConversation }: Ask,
    { owner, conversationId: kept, afterSeq }: TurnRecord,
  ): Promise<TargetConversation | undefined> {
    if (request.kind === "responses") return undefined;
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

  async function begin(
    ask: Ask,
    asked: TurnRecord,
    target: TargetConversation | undefined,
    { hold, release }: Taken,
  ): Promise<StartedTurn> {
    const conversationId = target?.id;
    const record: TurnRecord = {
      ...asked,
      ...(conversationId === undefined ? {} : { conversationId }),
      // The vendor is told not to store it, so nothing of it is stored here either.
      ...(ask.request.kind === "responses" && ask.request.isTransient === true ? { transient: true } : {}),
    };
    const prepared = await prepareReply(ask.request, { ...record, target }, chat);
    hold.resize(prepared.bytes.total);
    if (!isAdmitted(ask.caller)) throw new SocketEndedError("The caller may not come any more.");
    if (registry.isClosing()) throw new TroupeError("shutting_down");
    const created = await logs.create(record, {
      request: resumable(ask, record),
      isNew: record.afterSeq === undefined,
      place: { caller: ask.caller, heldBytes: hold.bytes },
      question: prepared.question,
    });
    if (created.type === "full") throw new TroupeError("overloaded");
    // Another turn of the conversation has ended meanwhile, or the conversation was deleted.
    if (created.type === "moved") return begin(ask, asked, await findTarget(ask, asked), { hold, release });
    if (created.type === "exists") {
      release();
      return attach(created.turn, ask, record);
    }
    const { log } = created;
    run({ record, log }, ask, prepared, { hold, release });
    return { turn: { record, log }, started: true };
  }

  function run(
    { record, log }: KeptTurn,
    asked: ResumableRequest,
    prepared: PreparedReply,
    { hold, release }: Taken,
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
    // The key was revoked while its log was made: no provider is called, but the log needs an end.
    if (!isAdmitted(caller)) turn.cancel();
    const { budgetTokens } = request;
    const budget = budgets.openTurn({
      caller,
      lanes: Math.max(1, prepared.lanes.length),
      ...(record.transient === true ? {} : { requestId: record.id }),
      ...(budgetTokens === undefined ? {} : { budgetTokens }),
    });
    const onSent = () => hold.resize(Math.max(0, hold.bytes - prepared.bytes.bodyOfLane));
    const isFull = () => log.isFull;
    const reply = (emit: Emit) => prepared.reply({ ...turn.signals, budget, onSent, isFull, emit });
    const watch = {
      isLeft: turn.isLeft,
      onlyLane: prepared.lanes.length === 1 ? prepared.lanes[0] : undefined,
      observe(steps: readonly TurnStep[]) {
        turn.observe(steps);
        for (const step of steps) {
          if (step.type !== "lane-answer" || step.answer.error === undefined) continue;
          onLaneFailure(record, step.answer.persona.id, step.answer.error);
        }
      },
    };
    const done = runTurn(noteVendorIds({ record, log }, chat.vendorIds), reply, watch)
      .then(
        (terminal) => {
          if (terminal === undefined) return log.leave();
          onEnd(record, terminal);
          if (terminal.type === "failure") registry.onFailure(turn, terminal.error);
        },
        (fault: unknown) => onFault(record, fault),
      )
      .finally(() => {
        turn.dispose();
        // The usage of a turn that was left is settled when it is resumed.
        if (!turn.isLeft()) budget[Symbol.dispose]();
        registry.onOver(turn);
        release();
      });
    registry.onBegin({ turn, asked, done });
    return turn;
  }

  function attach(turn: KeptTurn, ask: Ask, { contentHash: asked }: Pick<TurnRecord, "contentHash">) {
    const { contentHash: kept } = turn.record;
    if (kept !== asked && kept !== earlierHash(ask))
      throw new TroupeError("request_id_conflict", { field: "id" });
    return { turn, started: false };
  }

  /** The digest that earlier versions stored: it included the server's defaults of that time. */
  function earlierHash({ request, conversation }: Ask): string {
    return contentHash([withoutNewFields(request), conversation ?? null], digest);
  }

  /** Whether the turn ended with the error of this number and may run again. Throws `seq_out_of_range`. */
  async function mayRepeat({ log }: KeptTurn, seq: number): Promise<boolean> {
    if (seq > log.headSeq) throw new TroupeError("seq_out_of_range", { field: "retrySeq" });
    if (!log.ended || seq < log.headSeq) return false;
    for await (const batch of followLog(log, { after: seq - 1 })) {
      const last = batch.type === "events" ? batch.events.at(-1)?.event : undefined;
      if (last?.type === "failure") return last.error.retryable;
    }
    return false;
  }

  return {
    /** See `Turns.start`. */
    async start(ask: Ask): Promise<StartedTurn> {
      const { id, isNamed, retrySeq } = ask;
      const { owner } = ask.caller;
      const asked = { owner, id, contentHash: contentHash(ask.content, digest) };
      // In one step, so that a store can answer both in one trip.
      const [kept, found] = await Promise.all([
        isNamed ? logs.find(owner, id) : undefined,
        findTarget(ask, asked),
      ]);
      if (kept !== undefined) {
        const attached = attach(kept, ask, asked);
        if (retrySeq === undefined || !(await mayRepeat(kept, retrySeq))) return attached;
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
        const leave = await admission.admit(ask.caller, estimateTokens(utf8Bytes(textOf(ask.request))));
        release = () => {
          hold.release();
          leave();
        };
        return await begin(ask, record, target, { hold, release });
      } catch (error) {
        release();
        throw error;
      }
    },
    /** Runs a turn whose log exists. */
    run,
    /** See `Turns.hold`. */
    hold: (caller: Caller, request: TurnRequest, connection: HeldBytes) =>
      admission.hold(caller, bytesOfRequest(request).total, connection),
  };
}

/** A request with the fields that it had in the version that digested it. */
function withoutNewFields(request: TurnRequest): object {
  if (request.kind !== "responses") return request;
  const { inBackground: _, isTransient: __, maxTokens: ___, ...earlier } = request;
  return earlier;
}

function textOf(request: TurnRequest): string {
  return request.kind === "responses" ? request.inputText : request.message;
}
