import { canGoOn, type RecoveredLane, recoverLanes } from "../chat/recovered-lanes.ts";
import type { Observer, RecoveredTurns } from "../ports/observer.ts";
import type { TurnLogStore, TurnRecord, TurnStop, UnfinishedTurn } from "../ports/turn-log.ts";
import type { ResumableRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type MessageStores, rememberPartial } from "./remember-partial.ts";
import { createOpenLanes } from "./turn-writer.ts";
import type { Turns } from "./turns.ts";

interface RecoveryOptions extends MessageStores {
  readonly logs: TurnLogStore;
  readonly turns: Pick<Turns, "goOn">;
  /** Is told of a turn that could not be recovered properly: it ends all the same, and the others are recovered. */
  readonly observer: Observer;
}

/** Maximum new answers of a turn, so that a repeating crash does not spend money forever. */
const maxRestarts = 3;

/**
 * Continues every turn that the previous process left running, if its answer can be resumed or may start again. The other turns end as
 * `interrupted`; their text is stored in the conversation and marked as partial.
 */
export async function recoverTurns(options: RecoveryOptions): Promise<RecoveredTurns> {
  const { logs, observer } = options;
  let continued = 0;
  const unfinished = await logs.unfinished();
  // All at once, so that they share commits, but turns of one conversation in the order in which they started.
  const groups = Map.groupBy(unfinished, ({ record }) => record.conversationId ?? record);
  await Promise.all(
    [...groups.values()].map(async (turns) => {
      for (const turn of turns) if (await recoverTurn(turn, options)) continued += 1;
    }),
  );
  const recovered: RecoveredTurns = { continued, interrupted: unfinished.length - continued };
  if (unfinished.length > 0) observer.recovered?.(recovered);
  return recovered;
}

/** Returns whether the turn goes on. Never rejects: one turn must not keep the others, or the server, from starting. */
async function recoverTurn(turn: UnfinishedTurn, options: RecoveryOptions): Promise<boolean> {
  try {
    const lanes = recoverLanes(turn.steps, turn.stops);
    if (await goOn(turn, lanes, options)) return true;
    await interrupt(turn, lanes, options);
  } catch (fault) {
    options.observer.faulted?.({ where: "turn", error: fault, requestId: turn.record.id });
  }
  return false;
}

/** Returns whether the turn goes on. */
async function goOn(
  { record, log, steps, request, stops = [] }: UnfinishedTurn,
  lanes: readonly RecoveredLane[],
  { turns, observer }: RecoveryOptions,
): Promise<boolean> {
  if (
    request === undefined ||
    !(isStopped(request, lanes, stops) || lanes.some(canGoOn) || mayRestart(request, lanes, steps, record))
  )
    return false;
  try {
    await turns.goOn({ record, log }, request, lanes, stops);
    return true;
  } catch (refusal) {
    // This process may have other providers than the one that started the turn.
    if (!(refusal instanceof TroupeError))
      observer.faulted?.({ where: "turn", error: refusal, requestId: record.id });
    return false;
  }
}

/** Whether a client has stopped everything of the turn that had not ended, so that it ends without another call. */
function isStopped(
  { request }: ResumableRequest,
  lanes: readonly RecoveredLane[],
  stops: readonly TurnStop[],
): boolean {
  if (stops.includes(null)) return true;
  if (request.kind === "responses" || stops.length === 0) return false;
  return request.personaIds.every(
    (personaId) =>
      stops.includes(personaId) || lanes.some(({ key, answer }) => key === personaId && answer !== undefined),
  );
}

function mayRestart(
  { request, whenInterrupted }: ResumableRequest,
  lanes: readonly RecoveredLane[],
  steps: UnfinishedTurn["steps"],
  { afterSeq }: TurnRecord,
): boolean {
  if (whenInterrupted !== "restart") return false;
  // Such an answer ends with the vendor's own object, which is lost.
  if (request.kind === "responses" && lanes.some(({ ended }) => ended)) return false;
  const resets = steps.filter(({ type }) => type === "reset").length;
  // A turn that repeats another one starts with one reset already.
  return resets < maxRestarts + (afterSeq === undefined ? 0 : 1);
}

async function interrupt(
  { record, log, steps }: UnfinishedTurn,
  lanes: readonly RecoveredLane[],
  { observer, logs, ...stores }: RecoveryOptions,
): Promise<void> {
  // Followers of the turn wait for its end, even if the conversation cannot be stored.
  await rememberPartial(record, lanes, stores).catch((error: unknown) =>
    observer.faulted?.({ where: "turn", error, requestId: record.id }),
  );
  const open = createOpenLanes();
  open.observe(steps);
  const [only, ...others] = lanes;
  const lane = only?.key === undefined || others.length > 0 ? {} : { lane: only.key };
  const failure = { type: "failure", error: new TroupeError("interrupted"), ...lane } as const;
  await log.append([...open.finalTexts(), failure]);
  const { owner, conversationId } = record;
  if (conversationId === undefined) return;
  // Its conversation was being deleted when the process ended.
  if ((await stores.conversations.head(owner, conversationId)) === undefined)
    await logs.forget(owner, conversationId);
}
