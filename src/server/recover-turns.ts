import { canGoOn, type RecoveredLane, recoverLanes } from "../chat/recovered-lanes.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { PersonaStore } from "../ports/persona.ts";
import type { TurnEvent } from "../ports/turn-event.ts";
import type { TurnLogStore, TurnRecord, UnfinishedTurn } from "../ports/turn-log.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Turns } from "./turns.ts";

export interface RecoveryOptions {
  readonly logs: TurnLogStore;
  readonly conversations: ConversationStore;
  readonly personas: PersonaStore;
  readonly turns: Pick<Turns, "goOn">;
}

/** What became of the turns that were left running. */
export interface Recovery {
  readonly continued: number;
  readonly interrupted: number;
}

/**
 * Goes on with every turn that the process before this one left running, where its answer can be taken up again, and gives
 * the others their end: `interrupted`, with what was said kept in the conversation and marked as partial where it is.
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
  { record, log, request }: UnfinishedTurn,
  lanes: readonly RecoveredLane[],
  { turns }: RecoveryOptions,
): Promise<boolean> {
  if (request === undefined || !lanes.some(canGoOn)) return false;
  try {
    await turns.goOn({ record, log }, request, lanes);
    return true;
  } catch (refusal) {
    // This process may have other providers than the one that began it.
    if (refusal instanceof TroupeError) return false;
    throw refusal;
  }
}

async function interrupt(
  { record, log }: UnfinishedTurn,
  lanes: readonly RecoveredLane[],
  { conversations, personas }: RecoveryOptions,
): Promise<void> {
  await rememberPartial(record, lanes, conversations, personas);
  const open = lanes.filter((lane) => !lane.ended);
  await log.append([...open.map(finalText), { type: "failure", error: new TroupeError("interrupted") }]);
}

function finalText({ name }: RecoveredLane): TurnEvent {
  return { type: "text", text: "", final: true, ...(name === undefined ? {} : { lane: name }) };
}

/** Puts what was said behind its question, as far as that did not happen before the process ended. */
async function rememberPartial(
  { owner, id, conversationId }: TurnRecord,
  lanes: readonly RecoveredLane[],
  conversations: ConversationStore,
  personas: PersonaStore,
): Promise<void> {
  if (conversationId === undefined) return;
  const [question, ...answers] = await conversations.ofRequest(owner, conversationId, id);
  if (question === undefined) return;
  const lastAnswer = answers.at(-1);
  if (lastAnswer !== undefined) {
    const head = await conversations.head(owner, conversationId);
    // It ended between the answers and the head, unless the conversation has gone on elsewhere since.
    if (head?.messageId === question.parentId)
      await conversations.moveHead(owner, conversationId, lastAnswer.id);
    return;
  }
  const said = await Promise.all(
    lanes
      .filter((lane) => lane.text !== "")
      .map(async ({ name = "", text, status = "failed" }) => ({
        role: "assistant" as const,
        personaId: name,
        personaName: (await personas.find(owner, name))?.name ?? name,
        text,
        status,
        requestId: id,
      })),
  );
  const ids = await conversations.append(owner, conversationId, question.id, said);
  const last = ids?.at(-1);
  if (last !== undefined) await conversations.moveHead(owner, conversationId, last);
}
