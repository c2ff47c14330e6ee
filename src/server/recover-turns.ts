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
 * conversation and marked as partial where it is. Returns how many there were.
 */
export async function recoverTurns({ logs, conversations, personas }: RecoveryOptions): Promise<number> {
  const unfinished = await logs.unfinished();
  // At the same time, so that they share commits; those of one conversation in the order in which they began.
  const groups = Map.groupBy(unfinished, ({ record }) => record.conversationId ?? record);
  await Promise.all(
    [...groups.values()].map(async (turns) => {
      for (const turn of turns) await recover(turn, conversations, personas);
    }),
  );
  return unfinished.length;
}

async function recover(
  { record, log, events }: UnfinishedTurn,
  conversations: ConversationStore,
  personas: PersonaStore,
): Promise<void> {
  const lanes = lanesOf(events);
  await rememberPartial(record, lanes, conversations, personas);
  const open = lanes.filter((lane) => !lane.ended);
  await log.append([...open.map(finalText), { type: "failure", error: new TroupeError("interrupted") }]);
}

interface RecoveredLane {
  readonly name: string | undefined;
  text: string;
  /** Its final text was there. */
  ended: boolean;
  /** How it ended, where its client was told; a lane that was not told of is cut off. */
  status: "completed" | "failed" | "cancelled";
}

function lanesOf(events: UnfinishedTurn["events"]): RecoveredLane[] {
  const lanes = new Map<string | undefined, RecoveredLane>();
  const laneOf = (name: string | undefined) => {
    const lane = lanes.get(name) ?? { name, text: "", ended: false, status: "failed" };
    lanes.set(name, lane);
    return lane;
  };
  for (const event of events) {
    if (event.type === "status") {
      const lane = laneOf(event.lane);
      if (event.status === "completed") lane.status = "completed";
    } else if (event.type === "text") {
      const lane = laneOf(event.lane);
      lane.text += event.text;
      lane.ended ||= event.final;
    } else if (event.type === "lane-answer") {
      // A lane that was asked not to stream has shown its text only here.
      const { persona, text, status } = event.answer;
      Object.assign(laneOf(persona.id), { text, status, ended: true });
    }
  }
  return [...lanes.values()];
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
      .map(async ({ name = "", text, status }) => ({
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
