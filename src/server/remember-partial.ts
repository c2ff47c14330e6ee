import type { RecoveredLane } from "../chat/recovered-lanes.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import { voiceOf } from "../ports/lane.ts";
import type { PersonaStore } from "../ports/persona.ts";
import type { TurnRecord } from "../ports/turn-log.ts";

/** The stores needed to put an answer into its conversation. */
export interface MessageStores {
  readonly conversations: ConversationStore;
  readonly personas: PersonaStore;
}

/** Stores the text of a turn that was cut off as answers to its question, unless that has already been done. */
export async function rememberPartial(
  { owner, id, conversationId }: TurnRecord,
  lanes: readonly RecoveredLane[],
  { conversations, personas }: MessageStores,
): Promise<void> {
  if (conversationId === undefined) return;
  const [question, ...answers] = await conversations.ofRequest(owner, conversationId, id);
  if (question === undefined) return;
  const lastAnswer = answers.at(-1);
  if (lastAnswer !== undefined) {
    const head = await conversations.head(owner, conversationId);
    // The process died after storing the answers and before moving the head, unless the conversation has since gone on elsewhere.
    if (head?.messageId === question.parentId)
      await conversations.moveHead(owner, conversationId, lastAnswer.id);
    return;
  }
  const said = await Promise.all(
    lanes
      .filter((lane) => lane.text !== "")
      .map(async ({ key, text, status = "failed" }) => {
        const { personaId = "" } = voiceOf(key);
        const personaName = (await personas.find(owner, personaId))?.name ?? personaId;
        return { role: "assistant" as const, personaId, personaName, text, status, requestId: id };
      }),
  );
  const ids = await conversations.append(owner, conversationId, question.id, said);
  const last = ids?.at(-1);
  if (last !== undefined) await conversations.moveHead(owner, conversationId, last);
}
