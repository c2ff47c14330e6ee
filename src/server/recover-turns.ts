import type { ConversationStore } from "../ports/conversation-store.ts";
import type { PersonaStore } from "../ports/persona.ts";
import type { TurnEvent } from "../ports/turn-event.ts";
import type { TurnLogStore, TurnRecord, UnfinishedTurn } from "../ports/turn-log.ts";
import { TroupeError } from "../protocol/errors.ts";

export interface RecoveryOptions {
  readonly logs: TurnLogStore;
  readonly conversations: ConversationStore;
  readonly personas: PersonaStore;
}

/**
 * Gives every turn that the process before this one left running its end: `interrupted`, with what was said kept in the
 * conversation and marked as partial. Returns how many there were.
 */
export async function recoverTurns({ logs, conversations, personas }: RecoveryOptions): Promise<number> {
  const unfinished = await logs.unfinished();
  for (const turn of unfinished) {
    const lanes = lanesOf(turn.events);
    await rememberPartial(turn.record, lanes, conversations, personas);
    const open = lanes.filter((lane) => !lane.ended);
    await turn.log.append([
      ...open.map(finalText),
      { type: "failure", error: new TroupeError("interrupted") },
    ]);
  }
  return unfinished.length;
}

interface RecoveredLane {
  readonly name: string | undefined;
  text: string;
  /** Its final text was there. */
  ended: boolean;
}

function lanesOf(events: UnfinishedTurn["events"]): RecoveredLane[] {
  const lanes = new Map<string | undefined, RecoveredLane>();
  for (const event of events) {
    if (event.type !== "status" && event.type !== "text") continue;
    const lane = lanes.get(event.lane) ?? { name: event.lane, text: "", ended: false };
    lanes.set(event.lane, lane);
    if (event.type === "text") {
      lane.text += event.text;
      lane.ended ||= event.final;
    }
  }
  return [...lanes.values()];
}

function finalText({ name }: RecoveredLane): TurnEvent {
  return { type: "text", text: "", final: true, ...(name === undefined ? {} : { lane: name }) };
}

/** Puts what was said behind its question, unless that happened before the process ended. */
async function rememberPartial(
  { owner, id, conversationId }: TurnRecord,
  lanes: readonly RecoveredLane[],
  conversations: ConversationStore,
  personas: PersonaStore,
): Promise<void> {
  if (conversationId === undefined) return;
  const [question, ...answers] = await conversations.ofRequest(owner, conversationId, id);
  if (question === undefined || answers.length > 0) return;
  const said = await Promise.all(
    lanes
      .filter((lane) => lane.text !== "")
      .map(async ({ name = "", text }) => ({
        role: "assistant" as const,
        personaId: name,
        personaName: (await personas.find(owner, name))?.name ?? name,
        text,
        status: "failed" as const,
        requestId: id,
      })),
  );
  const ids = await conversations.append(owner, conversationId, question.id, said);
  const last = ids?.at(-1);
  if (last !== undefined) await conversations.moveHead(owner, conversationId, last);
}
