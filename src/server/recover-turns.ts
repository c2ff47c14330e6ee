import { canGoOn, type RecoveredLane, recoverLanes } from "../chat/recovered-lanes.ts";
import type { TurnLogStore, TurnRecord, UnfinishedTurn } from "../ports/turn-log.ts";
import type { ResumableRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { createOpenLanes } from "./open-lanes.ts";
import { type MessageStores, rememberPartial } from "./remember-partial.ts";
import type { Turns } from "./turns.ts";

export interface RecoveryOptions extends MessageStores {
  readonly logs: TurnLogStore;
  readonly turns: Pick<Turns, "goOn">;
  /** Hears why a turn could not be recovered as it should: it ends all the same, and the others are recovered. */
  readonly onFault: (record: TurnRecord, fault: unknown) => void;
}

/** A crash that comes again and again must not spend money without end: more often than this nothing is answered anew. */
const mostRestarts = 3;

/** What became of the turns that were left running. */
export interface Recovery {
  readonly continued: number;
  readonly interrupted: number;
}

/**
 * Goes on with every turn that the process before this one left running, where its answer can be taken up again or it is to be
 * answered anew, and gives the others their end: `interrupted`, with what was said kept in the conversation and marked as partial where it is.
 */
export async function recoverTurns(options: RecoveryOptions): Promise<Recovery> {
  const { logs } = options;
  let continued = 0;
  const unfinished = await logs.unfinished();
  // At the same time, so that they share commits; those of one conversation in the order in which they began.
  const groups = Map.groupBy(unfinished, ({ record }) => record.conversationId ?? record);
  await Promise.all(
    [...groups.values()].map(async (turns) => {
      for (const turn of turns) if (await recoverTurn(turn, options)) continued += 1;
    }),
  );
  return { continued, interrupted: unfinished.length - continued };
}

/** Returns whether the turn goes on. Never rejects: one turn must not keep the others, or the server, from what comes next. */
async function recoverTurn(turn: UnfinishedTurn, options: RecoveryOptions): Promise<boolean> {
  try {
    const lanes = recoverLanes(turn.steps);
    if (await goOn(turn, lanes, options)) return true;
    await interrupt(turn, lanes, options);
  } catch (fault) {
    options.onFault(turn.record, fault);
  }
  return false;
}

/** Returns whether the turn goes on. */
async function goOn(
  { record, log, steps, request }: UnfinishedTurn,
  lanes: readonly RecoveredLane[],
  { turns, onFault }: RecoveryOptions,
): Promise<boolean> {
  if (request === undefined || !(lanes.some(canGoOn) || mayRestart(request, lanes, steps, record)))
    return false;
  try {
    await turns.goOn({ record, log }, request, lanes);
    return true;
  } catch (refusal) {
    // This process may have other providers than the one that began it.
    if (!(refusal instanceof TroupeError)) onFault(record, refusal);
    return false;
  }
}

function mayRestart(
  { request, whenInterrupted }: ResumableRequest,
  lanes: readonly RecoveredLane[],
  steps: UnfinishedTurn["steps"],
  { afterSeq }: TurnRecord,
): boolean {
  if (whenInterrupted !== "restart") return false;
  // The vendor's own object, which such an answer ends with, cannot be had again.
  if (request.kind === "responses" && lanes.some(({ ended }) => ended)) return false;
  const resets = steps.filter(({ type }) => type === "reset").length;
  // A turn that repeats another one begins with a reset of its own.
  return resets < mostRestarts + (afterSeq === undefined ? 0 : 1);
}

async function interrupt(
  { record, log, steps }: UnfinishedTurn,
  lanes: readonly RecoveredLane[],
  { onFault, logs, ...stores }: RecoveryOptions,
): Promise<void> {
  // Those who follow it wait for its end, whatever becomes of the conversation.
  await rememberPartial(record, lanes, stores).catch((fault: unknown) => onFault(record, fault));
  const open = createOpenLanes();
  open.observe(steps);
  const [only, ...others] = lanes;
  const lane = only?.name === undefined || others.length > 0 ? {} : { lane: only.name };
  const failure = { type: "failure", error: new TroupeError("interrupted"), ...lane } as const;
  await log.append([...open.finalTexts(), failure]);
  const { owner, conversationId } = record;
  if (conversationId === undefined) return;
  // Its conversation was being deleted when the process ended.
  if ((await stores.conversations.head(owner, conversationId)) === undefined)
    await logs.forget(owner, conversationId);
}
