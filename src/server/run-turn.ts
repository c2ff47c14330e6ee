import type { ChatDependencies, Emit } from "../chat/chat-context.ts";
import type { PreparedReply } from "../chat/prepare-reply.ts";
import type { ReplyEnd } from "../chat/reply.ts";
import type { Budgets } from "../ports/budgets.ts";
import type { Caller } from "../ports/caller.ts";
import type { Hold } from "../ports/held-bytes.ts";
import type { Observer } from "../ports/observer.ts";
import type { TerminalEvent, TurnStep } from "../ports/turn-event.ts";
import type { KeptTurn, TurnLog } from "../ports/turn-log.ts";
import type { ResumableRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { noteVendorIds } from "./note-vendor-ids.ts";
import { listensToTurns, ObservedTurn } from "./observed-turn.ts";
import { createOpenLanes } from "./open-lanes.ts";
import { type BegunTurn, createRunningTurn, type RunningTurn } from "./running-turn.ts";
import { type TurnWatch, TurnWriter } from "./turn-writer.ts";

/** The parts of a server's turns that starting one changes. */
export interface TurnRegistry {
  /** New turns are refused from now on. */
  isClosing(): boolean;
  onBegin(begun: BegunTurn): void;
  /** Called when nothing of the turn runs any more, however it ended. */
  onOver(turn: RunningTurn): void;
  onFailure(turn: RunningTurn, error: TroupeError): void;
}

/** A request that is about to run. */
export interface Launch {
  readonly asked: ResumableRequest;
  readonly prepared: PreparedReply;
  /** Another process started it. */
  readonly isRecovered: boolean;
  /** When it arrived, by `clock.now`. */
  readonly arrivedAtMs: number;
  /** Made smaller once the bodies of its calls are sent. */
  readonly hold: Hold;
  /** Gives back its place and its memory. */
  readonly release: () => void;
}

/** The parts and limits that every turn runs with. */
export interface RunOptions {
  readonly chat: ChatDependencies;
  readonly budgets: Pick<Budgets, "openTurn">;
  /** Whether the caller's key is still valid. */
  readonly isAdmitted: (caller: Caller) => boolean;
  /** A turn that runs longer ends with `turn_timeout`. */
  readonly turnLimitMs: number;
  readonly observer: Observer;
}

/** Runs a turn whose log exists. */
export function runTurn(
  kept: KeptTurn,
  launch: Launch,
  { chat, budgets, isAdmitted, turnLimitMs, observer }: RunOptions,
  registry: Omit<TurnRegistry, "isClosing">,
): RunningTurn {
  const { record, log } = kept;
  const { asked, prepared, hold } = launch;
  const { clock } = chat;
  const { lanes } = prepared;
  const { caller, request, whenUnwatched } = asked;
  const { conversationId } = record;
  const turn = createRunningTurn({
    ...{ record, log, request, conversationId, lanes, whenUnwatched, turnLimitMs, clock },
  });
  // The key was revoked while its log was made: no provider is called, but the log needs an end.
  if (!isAdmitted(caller)) turn.cancel();
  const told = listensToTurns(observer)
    ? new ObservedTurn({ observer, clock, arrivedAtMs: launch.arrivedAtMs, facts: factsOf(kept, launch) })
    : undefined;
  const paid = budgets.openTurn(expenseOf(kept, launch));
  const budget = told?.payFrom(paid) ?? paid;
  const onSent = () => hold.resize(Math.max(0, hold.bytes - prepared.bytes.bodyOfLane));
  const isFull = () => log.isFull;
  const reply = (emit: Emit) => prepared.reply({ ...turn.signals, budget, onSent, isFull, emit });
  const done = writeReply(noteVendorIds(kept, chat.vendorIds), reply, {
    isLeft: turn.isLeft,
    onlyLane: lanes.length === 1 ? lanes[0] : undefined,
    observe(steps: readonly TurnStep[]) {
      turn.observe(steps);
      told?.observe(steps);
    },
  })
    .then(
      (terminal) => {
        told?.end(terminal ?? "left");
        if (terminal === undefined) return log.leave();
        if (terminal.type === "failure") registry.onFailure(turn, terminal.error);
      },
      (error: unknown) => {
        observer.faulted?.({ where: "turn", error, requestId: record.id });
        told?.end("lost");
      },
    )
    .finally(() => {
      turn.dispose();
      // The usage of a turn that was left is settled when it is resumed.
      if (!turn.isLeft()) paid[Symbol.dispose]();
      registry.onOver(turn);
      launch.release();
    });
  registry.onBegin({ turn, asked, done });
  return turn;
}

function factsOf({ record: { id, conversationId } }: KeptTurn, { asked, prepared, isRecovered }: Launch) {
  return {
    requestId: id,
    ...(conversationId === undefined ? {} : { conversationId }),
    kind: asked.request.kind,
    lanes: voicesOf(prepared),
    isRecovered,
  };
}

function expenseOf({ record: { id, transient } }: KeptTurn, { asked, prepared }: Launch) {
  const { budgetTokens } = asked.request;
  return {
    caller: asked.caller,
    lanes: voicesOf(prepared),
    ...(transient === true ? {} : { requestId: id }),
    ...(budgetTokens === undefined ? {} : { budgetTokens }),
  };
}

/** Number of voices. A nameless one has no lane. */
function voicesOf({ lanes }: PreparedReply): number {
  return Math.max(1, lanes.length);
}

interface ReplyWatch extends TurnWatch {
  /** The persona to blame for a failure, if there is only one. */
  readonly onlyLane?: string | undefined;
}

/**
 * Writes a reply into its log, followed in every case by exactly one terminal event. No other code writes that event.
 * Returns the event; `undefined` for a turn that was left, whose log stays as it is.
 */
async function writeReply(
  log: Pick<TurnLog, "append">,
  reply: (emit: Emit) => Promise<ReplyEnd>,
  { observe, isLeft, onlyLane }: ReplyWatch,
): Promise<TerminalEvent | undefined> {
  const lanes = createOpenLanes();
  const writer = new TurnWriter(log, {
    isLeft,
    observe(steps) {
      lanes.observe(steps);
      observe(steps);
    },
  });
  try {
    const end = await reply(writer.emit);
    await writer.end(() => [end]);
    return end;
  } catch (thrown) {
    if (isLeft()) return undefined;
    const failure: TerminalEvent = {
      type: "failure",
      error: TroupeError.from(thrown),
      ...(onlyLane === undefined ? {} : { lane: onlyLane }),
    };
    // A reply ends its lanes itself, unless their last events could not be stored.
    await writer.end(() => [...lanes.finalTexts(), failure]);
    return failure;
  }
}
