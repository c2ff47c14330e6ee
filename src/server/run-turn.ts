import type { ChatDependencies, TurnContext } from "../chat/chat-context.ts";
import type { PreparedReply } from "../chat/prepare-reply.ts";
import type { Budgets, TurnExpense } from "../ports/budgets.ts";
import type { Caller } from "../ports/caller.ts";
import type { Hold } from "../ports/fair-shares.ts";
import type { Observer } from "../ports/observer.ts";
import type { KeptResponse } from "../ports/response-store.ts";
import type { TurnStep } from "../ports/turn-event.ts";
import type { KeptTurn, TurnLog, TurnStop } from "../ports/turn-log.ts";
import type { ResumableRequest } from "../ports/turn-request.ts";
import type { TroupeError } from "../protocol/errors.ts";
import { listensToTurns, ObservedTurn } from "./observed-turn.ts";
import { type BegunTurn, type RunningTurn, TurnInProgress } from "./running-turn.ts";
import { writeReply } from "./turn-writer.ts";

/** The parts of a server's turns that starting one changes. */
export interface TurnRegistry {
  /** New turns are refused from now on. */
  isClosing(): boolean;
  /** The time that the followers of every turn get to come back. */
  minAbsenceMs(): number;
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
  /** The stops of clients before that process was gone. Default: none. */
  readonly stops?: readonly TurnStop[];
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

/** Returns a function that runs a turn whose log exists. */
export function createTurnRunner(
  { chat, budgets, isAdmitted, turnLimitMs, observer }: RunOptions,
  registry: Omit<TurnRegistry, "isClosing">,
) {
  const { clock } = chat;
  const isObserved = listensToTurns(observer);
  return (kept: KeptTurn, launch: Launch): RunningTurn => {
    const { record, log } = kept;
    const { asked, prepared, hold } = launch;
    const { lanes } = prepared;
    const { caller, request, whenUnwatched } = asked;
    const { conversationId } = record;
    const turn = new TurnInProgress({
      ...{ record, log, request, conversationId, lanes, whenUnwatched, turnLimitMs, clock },
      minAbsenceMs: registry.minAbsenceMs,
    });
    // Stopped, or the key was revoked while its log was made: no provider is called, but the log needs an end.
    if (!isAdmitted(caller)) turn.refuse();
    for (const stop of launch.stops ?? []) turn.refuse(stop ?? undefined);
    const told = isObserved
      ? new ObservedTurn({ observer, clock, arrivedAtMs: launch.arrivedAtMs, facts: factsOf(kept, launch) })
      : undefined;
    const paid = budgets.openTurn(expenseOf(kept, launch));
    const budget = told?.payFrom(paid) ?? paid;
    const onSent = () => hold.resize(Math.max(0, hold.bytes - prepared.bytes.bodyOfLane));
    const isFull = () => log.isFull;
    let shown: KeptResponse | undefined;
    const onResponse = (response: KeptResponse) => {
      shown = response;
    };
    const reply = ({ emit, emitWithNext }: Pick<TurnContext, "emit" | "emitWithNext">) =>
      prepared.reply({ ...turn.signals, budget, onSent, isFull, onResponse, emit, emitWithNext });
    const done = writeReply(
      keepBeside(kept, chat, () => shown),
      reply,
      {
        isLeft: () => turn.isLeft(),
        onlyLane: lanes.length === 1 ? lanes[0] : undefined,
        observers: told === undefined ? [turn] : [turn, told],
      },
    )
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
  };
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

function expenseOf(
  { record: { id, conversationId, transient } }: KeptTurn,
  { asked, prepared }: Launch,
): TurnExpense {
  const { budgetTokens } = asked.request;
  const isStored = transient !== true;
  return {
    caller: asked.caller,
    lanes: voicesOf(prepared),
    ...(isStored ? { requestId: id } : {}),
    ...(isStored && conversationId !== undefined ? { conversationId } : {}),
    ...(budgetTokens === undefined ? {} : { budgetTokens }),
  };
}

/** Number of voices. A nameless one has no lane. */
function voicesOf({ lanes }: PreparedReply): number {
  return Math.max(1, lanes.length);
}

/** More ids than an answer can have, to bound one write. */
const maxIdsOfStep = 64;

/**
 * Wraps a turn's log so that vendor ids shown in it belong to its owner from the same commit on, and its response can be continued from its
 * end on. Nothing of a transient turn is stored, its ids included, because the vendor was asked not to store it.
 */
function keepBeside(
  { record, log }: KeptTurn,
  { vendorIds, responses }: Pick<ChatDependencies, "vendorIds" | "responses">,
  response: () => KeptResponse | undefined,
): Pick<TurnLog, "append"> {
  if (record.transient === true) return log;
  return {
    append(steps) {
      // Nearly every append is text.
      if (!steps.some(namesIds)) return log.append(steps);
      const shown = idsShownIn(steps);
      const kept = steps.at(-1)?.type === "answer" ? response() : undefined;
      const beside = [
        ...(shown.length === 0 ? [] : [vendorIds.note(record.owner, shown)]),
        ...(kept === undefined ? [] : [responses.keep(record.owner, kept)]),
      ];
      return Promise.all([...beside, log.append(steps)]).then(() => undefined);
    },
  };
}

function namesIds({ type }: TurnStep): boolean {
  return type === "answer" || type === "tool";
}

/** The ids that a vendor makes for a request: the response's, its conversation's, and those of containers in which its tools ran. */
function idsShownIn(steps: readonly TurnStep[]): string[] {
  const ids = new Set<string>();
  for (const step of steps) {
    if (step.type === "tool") addContainers(ids, step.payload);
    else if (step.type === "answer" && step.answer.kind === "responses") {
      const { id, conversation, output } = step.answer.response;
      addId(ids, id);
      addId(ids, fieldOf(conversation, "id"));
      for (const item of Array.isArray(output) ? output : []) addContainers(ids, item);
    }
  }
  return [...ids].slice(0, maxIdsOfStep);
}

/** `code_interpreter_call` names its container itself, `shell_call` in its environment (types of the openai package). */
function addContainers(ids: Set<string>, item: unknown): void {
  addId(ids, fieldOf(item, "container_id"));
  addId(ids, fieldOf(fieldOf(item, "environment"), "container_id"));
}

function addId(ids: Set<string>, id: unknown): void {
  if (typeof id === "string" && id !== "") ids.add(id);
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
