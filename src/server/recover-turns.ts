import { canGoOn, type RecoveredLane, recoverLanes } from "../chat/recovered-lanes.ts";
import type { TurnLogStore, UnfinishedTurn } from "../ports/turn-log.ts";
import type { ResumableRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { createOpenLanes } from "./open-lanes.ts";
import { type MessageStores, rememberPartial } from "./remember-partial.ts";
import type { Turns } from "./turns.ts";

export interface RecoveryOptions extends MessageStores {
  readonly logs: TurnLogStore;
  readonly turns: Pick<Turns, "goOn">;
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
      for (const turn of turns) {
        const lanes = recoverLanes(turn.steps);
        if (await goOn(turn, lanes, options)) continued += 1;
        else await interrupt(turn, lanes, options);
      }
    }),
  );
  return { continued, interrupted: unfinished.length - continued };
}

/** Returns whether the turn goes on. */
async function goOn(
  { record, log, steps, request }: UnfinishedTurn,
  lanes: readonly RecoveredLane[],
  { turns }: RecoveryOptions,
): Promise<boolean> {
  if (request === undefined || !(lanes.some(canGoOn) || mayRestart(request, lanes, steps))) return false;
  try {
    await turns.goOn({ record, log }, request, lanes);
    return true;
  } catch (refusal) {
    // This process may have other providers than the one that began it.
    if (refusal instanceof TroupeError) return false;
    throw refusal;
  }
}

function mayRestart(
  { request, whenInterrupted }: ResumableRequest,
  lanes: readonly RecoveredLane[],
  steps: UnfinishedTurn["steps"],
): boolean {
  if (whenInterrupted !== "restart") return false;
  // The vendor's own object, which such an answer ends with, cannot be had again.
  if (request.kind === "responses" && lanes.some(({ ended }) => ended)) return false;
  return steps.filter(({ type }) => type === "reset").length < mostRestarts;
}

async function interrupt(
  { record, log, steps }: UnfinishedTurn,
  lanes: readonly RecoveredLane[],
  stores: MessageStores,
): Promise<void> {
  await rememberPartial(record, lanes, stores);
  const open = createOpenLanes();
  open.observe(steps);
  await log.append([...open.finalTexts(), { type: "failure", error: new TroupeError("interrupted") }]);
}
